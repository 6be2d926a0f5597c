"""What the animatic engine costs and how smoothly it moves, against encoding alone and against ffmpeg's zoompan.

Every contender makes the same clip with the same x264 preset and quality. They run in turn, each time in a fresh
process whose clock starts when its imports are done, as in the warm workers that serve jobs; the figures are medians.
zoompan runs twice over: in the ffmpeg found on PATH, and in the libavfilter inside PyAV, in front of the engine's own
encoder. The faster of the two is the one to compare with. Exits 1 when a target is missed.
"""

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import av.filter
import cv2
import numpy as np
from PIL import Image

from framegate.animatic import Spec
from framegate.animatic.camera.framing import Size
from framegate.animatic.effects.film import FilmEffects
from framegate.animatic.output import encoder
from framegate.animatic.output.prepared_shots import prepare_shots
from framegate.animatic.output.timeline import Timeline
from framegate.animatic.plan.director import direct
from framegate.animatic.renderer import render

PHOTO = Path(__file__).parents[1] / "tests" / "support" / "photos" / "astronaut.png"
PHOTO_PIXELS = (1920, 1080)  # both sides start from the same photo of the usual size
OUTPUT = Size(1280, 720)
FPS, FRAMES, REPEATS = 24, 96, 5
PUSH, PAN = "push-in", "very slow, tiny, steady pan right"
GRADED = "truck right at golden hour"
EVERYTHING = (
    "fast arc left, handheld, at night in the rain, thick fog, neon flicker, film grain, vignette, shallow focus"
)
LASTING = "locked-off, handheld, at night in the rain, thick fog, film grain, vignette"
Contender = Callable[[str, str], Callable[[], object]]  # made ready for a photo and an output, then run
STEADY_FRAMES = range(24, 72)  # of the pan, where it has reached its pace

CENTRE = "x='iw/2-iw/zoom/2':y='ih/2-ih/zoom/2'"
ZOOM_PUSH = f"z='1+0.197*on/{FRAMES - 1}':{CENTRE}"
PRE_SCALE = "8000:-1"  # the usual cure for zoompan's whole-pixel steps


@dataclass(frozen=True)
class Cost:
    """Seconds, and the most memory held at once, in MiB."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Target:
    what: str
    got: float
    most: float


def spec(photo: str, output: str, prompt: str, size: Size = OUTPUT, fps: int = FPS, frames: int = FRAMES) -> Spec:
    return Spec(
        prompt=prompt,
        references=(photo,),
        width=size.width,
        height=size.height,
        fps=fps,
        frames=frames,
        output=output,
    )


def rendering(prompt: str) -> Contender:
    return lambda photo, output: lambda: render(spec(photo, output, prompt))


def encoding(prompt: str) -> Contender:
    """The engine's own frames of a prompt, drawn beforehand: what remains is the encoder."""

    def prepare(photo: str, output: str) -> Callable[[], object]:
        writer = encoder.VideoWriter(output, OUTPUT, FPS)
        made = spec(photo, output, prompt)
        plan = direct(prompt, reference_count=1, seconds=made.seconds)
        reel = Timeline(prepare_shots(made, plan, OUTPUT), OUTPUT, 1 / FPS, FilmEffects(plan.look, OUTPUT, made.seed))
        frames: list[av.VideoFrame] = []
        for at in range(FRAMES):
            frame, planes = writer.new_frame()
            reel.draw(at / (FRAMES - 1) * made.seconds, planes)
            frames.append(frame)

        def work() -> None:
            with writer:
                for frame in frames:
                    writer.write(frame)

        return work

    return prepare


def long_render(size: Size, fps: int, seconds: int) -> Contender:
    """Looked at for its memory; without a zoom, which goes further the longer it lasts and needs more pixels for it."""
    return lambda photo, output: lambda: render(spec(photo, output, LASTING, size, fps, seconds * fps))


def zoompan_plain(photo: str, output: str) -> Callable[[], object]:
    return lambda: write(output, zoompan(photo, ZOOM_PUSH))


def zoompan_scaled(photo: str, output: str) -> Callable[[], object]:
    return lambda: write(output, zoompan(photo, ZOOM_PUSH, PRE_SCALE))


def ffmpeg_plain(photo: str, output: str) -> Callable[[], object]:
    return lambda: ffmpeg(photo, output, ZOOM_PUSH)


def ffmpeg_scaled(photo: str, output: str) -> Callable[[], object]:
    return lambda: ffmpeg(photo, output, ZOOM_PUSH, PRE_SCALE)


ZOOMPANS = {work.__name__: work for work in (zoompan_plain, zoompan_scaled, ffmpeg_plain, ffmpeg_scaled)}
PROMPTS = {"push-in": PUSH, "graded": GRADED, "everything": EVERYTHING}
LENGTHS = {
    "1080p60, 2 s": (Size(1920, 1080), 60, 2),
    "1080p60, 8 s": (Size(1920, 1080), 60, 8),
    "360p24, 6 s": (Size(640, 360), 24, 6),
    "360p24, 60 s": (Size(640, 360), 24, 60),
}
CONTENDERS: dict[str, Contender] = {
    **{f"render {name}": rendering(prompt) for name, prompt in PROMPTS.items()},
    **{f"encode {name}": encoding(prompt) for name, prompt in PROMPTS.items()},
    **ZOOMPANS,
    **{name: long_render(*of) for name, of in LENGTHS.items()},
}


def chain(move: str, scale: str | None) -> list[tuple[str, str]]:
    before = [("scale", scale)] if scale else []
    pan = ("zoompan", f"{move}:d={FRAMES}:s={OUTPUT.width}x{OUTPUT.height}:fps={FPS}")
    return [*before, pan, ("format", "yuv420p")]


def zoompan(photo: str, move: str, scale: str | None = None) -> Iterator[av.VideoFrame]:
    graph = av.filter.Graph()
    with av.open(photo) as container:
        stream = container.streams.video[0]
        still = next(container.decode(stream))
        nodes = [graph.add_buffer(template=stream)]
    nodes += [graph.add(name, arguments) for name, arguments in chain(move, scale)]
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    graph.vpush(still)
    graph.vpush(None)
    for _ in range(FRAMES):
        yield graph.vpull()


def write(output: str, frames: Iterator[av.VideoFrame]) -> None:
    with encoder.VideoWriter(output, OUTPUT, FPS) as writer:
        for frame in frames:
            frame.time_base = Fraction(1, FPS)
            writer.write(frame)


def ffmpeg(photo: str, output: str, move: str, scale: str | None = None) -> None:
    filters = ",".join(f"{name}={arguments}" for name, arguments in chain(move, scale))
    x264 = ["-c:v", "libx264", "-preset", encoder.PRESET, "-crf", encoder.CRF, "-profile:v", "high"]
    command = ["ffmpeg", "-v", "error", "-y", "-i", photo, "-vf", filters, "-frames:v", str(FRAMES), *x264]
    subprocess.run([*command, "-movflags", "+faststart", output], check=True, stdin=subprocess.DEVNULL)


def measure(name: str, photo: str, output: str) -> None:
    """In a process of its own: do the work once and print what it took, this process and its children together."""
    work = CONTENDERS[name](photo, output)
    before, start = cpu_seconds(), time.perf_counter()
    work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall": time.perf_counter() - start, "cpu": cpu_seconds() - before, "peak": peak}))


def cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def costs(photo: str, folder: Path) -> dict[str, Cost]:
    names = [name for name in CONTENDERS if not name.startswith("ffmpeg") or shutil.which("ffmpeg")]
    runs: dict[str, list[Cost]] = {name: [] for name in names}
    for time_round in range(REPEATS):
        for name in names:
            if name in LENGTHS and time_round:
                continue  # memory does not vary as time does
            command = [sys.executable, "-m", "bench.render", name, photo, str(folder / f"{name}.mp4")]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            runs[name].append(Cost(**json.loads(done.stdout)))
    return {
        name: Cost(*(statistics.median(getattr(run, what) for run in those) for what in ("wall", "cpu", "peak")))
        for name, those in runs.items()
    }


def steps(file: Path) -> list[float]:
    """How far the picture moves to the left from each frame to the next, in pixels, by phase correlation."""
    with av.open(str(file)) as container:
        frames = [frame.to_ndarray()[: frame.height] for frame in container.decode(video=0)]
    window = cv2.createHanningWindow((OUTPUT.width, OUTPUT.height), cv2.CV_32F)
    steady = [frame.astype(np.float32) for at, frame in enumerate(frames) if at in STEADY_FRAMES]
    return [-cv2.phaseCorrelate(a, b, window)[0][0] for a, b in pairwise(steady)]


def jitters(photo: str, folder: Path) -> dict[str, tuple[float, float]]:
    """Mean step and its standard deviation over a slow pan, as it is after decoding, at the same pace for all."""
    ours = folder / "pan.mp4"
    render(spec(photo, str(ours), PAN))
    pace = statistics.mean(steps(ours)) / OUTPUT.width  # parts of the view per frame
    move = f"z=1.1:x='on*{pace:.9f}*iw/zoom':y='ih/2-ih/zoom/2'"
    files = {"engine": ours}
    for name, scale in (("zoompan", None), (f"zoompan, scale={PRE_SCALE}", PRE_SCALE)):
        files[name] = folder / f"{name[:8]}{len(files)}.mp4"
        write(str(files[name]), zoompan(photo, move, scale))
    return {name: (statistics.mean(steps(file)), statistics.stdev(steps(file))) for name, file in files.items()}


def prepare(folder: Path) -> str:
    photo = folder / "photo.jpg"
    with Image.open(PHOTO) as image:
        height = round(image.width * PHOTO_PIXELS[1] / PHOTO_PIXELS[0])
        part = image.convert("RGB").crop((0, 0, image.width, height))
        part.resize(PHOTO_PIXELS, Image.Resampling.LANCZOS).save(photo, quality=95)
    return str(photo)


def targets(cost: dict[str, Cost], jitter: dict[str, tuple[float, float]]) -> list[Target]:
    ours = cost["render push-in"]
    plain = min((cost[name] for name in cost if name.endswith("plain")), key=lambda one: one.wall)
    scaled = min((cost[name] for name in cost if name.endswith("scaled")), key=lambda one: one.wall)
    most = {"push-in": 1.6, "graded": 2.5, "everything": 4.0}
    return [
        *(
            Target(
                f"CPU, {name}, render / encoding the same frames",
                cost[f"render {name}"].cpu / cost[f"encode {name}"].cpu,
                limit,
            )
            for name, limit in most.items()
        ),
        Target(f"wall, push-in / zoompan with scale={PRE_SCALE}", ours.wall / scaled.wall, 1.0),
        Target("wall, push-in / plain zoompan", ours.wall / plain.wall, 1.3),
        Target("jitter of a slow pan, engine / plain zoompan", jitter["engine"][1] / jitter["zoompan"][1], 0.1),
        Target("memory, 8 s / 2 s of 1080p60", cost["1080p60, 8 s"].peak / cost["1080p60, 2 s"].peak, 1.1),
        Target("memory, 60 s / 6 s of 360p24", cost["360p24, 60 s"].peak / cost["360p24, 6 s"].peak, 1.1),
    ]


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo = prepare(folder)
        cost, jitter = costs(photo, folder), jitters(photo, folder)
    seconds = FRAMES / FPS
    print(
        f"{seconds:g} s, {OUTPUT.width}x{OUTPUT.height}, {FPS} fps, x264 {encoder.PRESET} crf {encoder.CRF}; "
        f"median of {REPEATS}; zoompan in PyAV's libavfilter" + (" and in ffmpeg" if "ffmpeg_plain" in cost else "")
    )
    print(f"{'':<34}{'wall s':>8}{'CPU s':>8}{'MiB':>8}")
    for name, one in cost.items():
        print(f"{name.replace('_', ' '):<34}{one.wall:>8.2f}{one.cpu:>8.2f}{one.peak:>8.0f}")
    print(f"{'slow pan':<34}{'px/frame':>8}{'std px':>8}")
    for name, (mean, deviation) in jitter.items():
        print(f"{name:<34}{mean:>8.3f}{deviation:>8.3f}")
    reached = targets(cost, jitter)
    for target in reached:
        print(
            f"{target.what:<58}{target.got:>7.2f}  at most {target.most:<5g}"
            + ("" if target.got <= target.most else "  MISSED")
        )
    return 0 if all(target.got <= target.most for target in reached) else 1


if __name__ == "__main__":
    if len(sys.argv) == 4:
        measure(*sys.argv[1:])
    else:
        sys.exit(main())
