"""`demo` command: a video from three included photos, without key, network and GPU."""

import time
from contextlib import ExitStack
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory

from framegate.cli import console

PHOTOS = ("astronaut.png", "rocket.jpg", "deep-field.jpg")
PROMPT = (
    "A slow push-in on the astronaut's face. Then the camera tilts up along the rocket at dusk. "
    "Then a slow pull-out over the stars."
)
SECONDS = 12


def demo() -> None:
    """Make a video from three included photos. Writes demo.mp4 and demo-contact-sheet.jpg to the current folder.

    Needs no key, no network and no GPU.

    Example: framegate demo
    """
    from framegate.app.embedded import embedded_gateway
    from framegate.config.loading import load

    started_at = time.monotonic()
    video, sheet = Path("demo.mp4").absolute(), Path("demo-contact-sheet.jpg").absolute()
    console.print_message(f"Prompt: {PROMPT}")
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="framegate-demo-"))
        photos = [stack.enter_context(as_file(files("framegate.media") / "sample_photos" / name)) for name in PHOTOS]
        client = stack.enter_context(embedded_gateway(load({}, data_dir=Path(folder))))
        job = client.videos.create(
            prompt=PROMPT, references=photos, duration=SECONDS, resolution="720p", aspect_ratio="16:9", seed=1
        )
        with console.progress() as show:
            job.wait(on_event=show)
        job.video.save(video)
        job.video.save_contact_sheet(sheet)
    console.print_message(f"Three photos became {SECONDS} seconds of video in {time.monotonic() - started_at:.1f} s:")
    console.print_data(str(video))
    console.print_data(str(sheet))
    console.print_message("Next, with pictures of your own:")
    console.print_message(f"  {console.program()} generate -r photo.jpg -p 'a slow push-in at dusk'")
    console.print_message("Or as a server, with every model in a free sandbox:")
    console.print_message(f"  {console.program()} serve --sandbox")
