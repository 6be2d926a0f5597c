"""Benchmark of the quality report: good clips must have no warning, and every planted fault must be detected.

Images are the photos of the tests and some generated ones; clips are rendered by the animatic and then broken. Prints a
confusion table. Exits with 1 if a good clip has a warning or fails, a fault is not detected, or a finding is
`unverifiable` although the method can know.
"""

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from framegate.animatic import Spec, render
from framegate.domain import Role, Target
from framegate.media.quality import ReferenceImage, Report, Verdict
from framegate.media.quality.verification import verify_file

PHOTOS = Path(__file__).parents[1] / "tests" / "support" / "photos"
TARGET = Target(width=480, height=270, fps=24, duration=2, audio=False, seed=None)
GENERATED_IMAGES = 5
MOVES = ("slow push-in", "pull out", "pan right", "tilt up", "locked-off", "dramatic fast push in", "gentle pan left")
Frames = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Clip:
    """A clip with its request; one of `expected` must be reported, and only `unverifiable` may be unverifiable."""

    kind: str
    path: Path
    references: tuple[ReferenceImage, ...]
    prompt: str
    target: Target = TARGET
    expected: frozenset[str] = frozenset()
    unverifiable: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Outcome:
    """Quality report of a clip, compared with the expectation."""

    clip: Clip
    verdict: str
    findings: dict[str, str]  # worst verdict of each finding that is not `pass`
    error: str  # what is wrong with the report; empty if nothing is


@dataclass(frozen=True)
class Fault:
    """A planted fault: changes to the frames, the encoding, the file or the request."""

    expected: frozenset[str]
    frames: Callable[[Frames, Frames], Frames] | None = None  # of the clip and of another one
    fps: int = TARGET.fps
    size: tuple[int, int] = (TARGET.width, TARGET.height)
    faststart: bool = True
    truncate_at: float | None = None  # share of the bytes
    target: Target = TARGET
    unverifiable: frozenset[str] = frozenset()


def frozen(frames: Frames, other_frames: Frames) -> Frames:
    return [frames[len(frames) // 2]] * len(frames)


def black(frames: Frames, other_frames: Frames) -> Frames:
    half = len(frames) // 2
    return [*frames[:half], *([np.zeros_like(frames[0])] * (len(frames) - half))]


def gray(frames: Frames, other_frames: Frames) -> Frames:
    half = len(frames) // 2
    return [*frames[:half], *([np.full_like(frames[0], 128)] * (len(frames) - half))]


def flicker(frames: Frames, other_frames: Frames) -> Frames:
    return [
        np.clip(frame.astype(int) + (18 if index % 2 else -18), 0, 255).astype(np.uint8)
        for index, frame in enumerate(frames)
    ]


def shuffled(frames: Frames, other_frames: Frames) -> Frames:
    return random.Random(4).sample(frames, len(frames))


def noise(frames: Frames, other_frames: Frames) -> Frames:
    generator = np.random.default_rng(5)
    return [generator.integers(0, 256, frame.shape, np.uint8) for frame in frames]


def cut(frames: Frames, other_frames: Frames) -> Frames:
    half = len(frames) // 2
    return [*frames[:half], *other_frames[half:]]


def shortened(frames: Frames, other_frames: Frames) -> Frames:
    return frames[: len(frames) * 2 // 3]


FIDELITY = frozenset({"reference", "palette"})
TOO_SHORT = frozenset({"frozen", "flicker", "jerk"})
FAULTS = {
    "truncated": Fault(frozenset({"complete", "decodes"}), truncate_at=0.6, unverifiable=TOO_SHORT),
    "moov last": Fault(frozenset({"moov_first"}), faststart=False),
    "frozen": Fault(frozenset({"frozen"}), frozen),
    "black": Fault(frozenset({"black"}), black),
    "gray": Fault(frozenset({"flat"}), gray),
    "flicker": Fault(frozenset({"flicker"}), flicker),
    "shuffled": Fault(frozenset({"jerk"}), shuffled),
    "noise": Fault(frozenset({"noise"}), noise, unverifiable=FIDELITY),
    "cut": Fault(frozenset({"cuts"}), cut),
    "wrong fps": Fault(frozenset({"fps"}), fps=16),
    "wrong length": Fault(frozenset({"duration", "frames"}), shortened),
    "wrong size": Fault(frozenset({"size"}), size=(432, 240)),
    "audio missing": Fault(frozenset({"audio"}), target=replace(TARGET, audio=True)),
}


def generate_image(seed: int, path: Path) -> Path:
    """Save an abstract image: shapes and grain on a gradient, in colors chosen by the seed."""
    generator = random.Random(seed)
    width, height = generator.choice([(960, 540), (720, 720), (600, 800), (1024, 768)])
    base = [generator.randrange(20, 236) for _ in range(3)]
    ramp = np.linspace(-40, 40, width)[None, :, None] + np.zeros((height, 1, 3))
    image = Image.fromarray(np.clip(np.array(base) + ramp, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(140):
        x, y, size = generator.randrange(width), generator.randrange(height), generator.randrange(10, 90)
        color = tuple(min(255, max(0, channel + generator.randrange(-90, 90))) for channel in base)
        corners = [
            (x + generator.randrange(-size, size), y + generator.randrange(-size, size))
            for _ in range(generator.randrange(3, 7))
        ]
        if generator.random() < 0.3:
            draw.ellipse((x, y, x + size, y + size // 2 + 4), fill=color)
        else:
            draw.polygon(corners, fill=color, outline=tuple(255 - channel for channel in color))
    grain = np.random.default_rng(seed).normal(0, 6, (height, width, 1))
    Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)).save(path)
    return path


def collect_images(folder: Path) -> list[Path]:
    generated = [generate_image(seed, folder / f"generated-{seed}.png") for seed in range(GENERATED_IMAGES)]
    return [*sorted(PHOTOS.glob("*.[jp][pn]g")), *generated]


def render_clip(
    output: Path, prompt: str, shots: Sequence[Path] = (), first: Path | None = None, last: Path | None = None
) -> Path:
    if not output.exists():
        spec = Spec(
            prompt=prompt,
            references=tuple(map(str, shots)),
            first_frame=first and str(first),
            last_frame=last and str(last),
            width=TARGET.width,
            height=TARGET.height,
            fps=TARGET.fps,
            frames=TARGET.frames,
            output=str(output),
        )
        render(spec)
    return output


def read_frames(path: Path) -> Frames:
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


def write_clip(frames: Frames, path: Path, fault: Fault) -> Path:
    options = {"movflags": "+faststart"} if fault.faststart else {}
    with av.open(str(path), "w", format="mp4", options=options) as file:
        stream = file.add_stream("libx264", rate=fault.fps, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *fault.size, "yuv420p"
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(
                np.asarray(cv2.resize(pixels, fault.size, interpolation=cv2.INTER_AREA), np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = index, Fraction(1, fault.fps)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    if fault.truncate_at:
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * fault.truncate_at)])
    return path


def reference_images(*paths: Path, roles: Sequence[Role] = ()) -> tuple[ReferenceImage, ...]:
    image_roles = [*roles, *[Role.REFERENCE] * (len(paths) - len(roles))]
    return tuple(
        ReferenceImage(path=path, role=role, index=index)
        for index, (path, role) in enumerate(zip(paths, image_roles, strict=True))
    )


def good_clips(photos: Sequence[Path], folder: Path, photos_max: int | None, moves_max: int | None) -> Iterator[Clip]:
    for index, photo in enumerate(photos[:photos_max]):
        for number, move in enumerate(MOVES[:moves_max]):
            path = render_clip(folder / f"good-{index}-{number}.mp4", move, [photo])
            yield Clip("good: one image", path, reference_images(photo), move)
        following = [photos[(index + step) % len(photos)] for step in range(1, 4)]
        for number, (prompt, shots) in enumerate(
            (("push in, then pan left", [photo, *following[:1]]), ("hard cut between them", [photo, *following[:2]]))
        ):
            path = render_clip(folder / f"shots-{index}-{number}.mp4", prompt, shots)
            yield Clip("good: several images", path, reference_images(*shots), prompt)
        path = render_clip(folder / f"frames-{index}.mp4", "a slow change", first=photo, last=following[0])
        frames = reference_images(photo, following[0], roles=(Role.FIRST_FRAME, Role.LAST_FRAME))
        yield Clip("good: first and last frame", path, frames, "a slow change")


def broken_clips(
    photos: Sequence[Path], folder: Path, photos_max: int | None, _moves_max: int | None
) -> Iterator[Clip]:
    for index, photo in enumerate(photos[:photos_max]):
        other_photo = photos[(index + 1) % len(photos)]
        move = MOVES[(0, 2, 5)[index % 3]]
        source = render_clip(folder / f"base-{index}.mp4", move, [photo])
        other_source = render_clip(folder / f"base-{index}-other.mp4", move, [other_photo])
        frames, other_frames = read_frames(source), read_frames(other_source)
        reference = reference_images(photo)
        for kind, fault in FAULTS.items():
            path = folder / f"{kind.replace(' ', '-')}-{index}.mp4"
            write_clip(fault.frames(frames, other_frames) if fault.frames else frames, path, fault)
            yield Clip(kind, path, reference, move, fault.target, fault.expected, fault.unverifiable)
        wrong = frozenset({"reference"})
        yield Clip("wrong reference", source, reference_images(other_photo), move, TARGET, wrong, FIDELITY)
        swapped = reference_images(other_photo, photo, roles=(Role.FIRST_FRAME, Role.LAST_FRAME))
        path = render_clip(folder / f"swap-{index}.mp4", "a slow change", first=photo, last=other_photo)
        both_frames = frozenset({"first_frame", "last_frame"})
        yield Clip("reference swapped", path, swapped, "a slow change", TARGET, both_frames)
        styled_frames = [transfer_colors(frame, photo) for frame in other_frames]
        styled = write_clip(styled_frames, folder / f"styled-{index}.mp4", Fault(frozenset()))
        yield Clip("style only", styled, reference, move, TARGET, wrong, FIDELITY)


def transfer_colors(frame: NDArray[np.uint8], style: Path) -> NDArray[np.uint8]:
    """Give a frame the colors of an image: mean and standard deviation in Lab."""
    with Image.open(style) as image:
        style_lab = cv2.cvtColor(np.asarray(image.convert("RGB"), np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab = cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    gain = style_lab.std(axis=(0, 1)) / np.maximum(lab.std(axis=(0, 1)), 1)
    transferred = (lab - lab.mean(axis=(0, 1))) * gain + style_lab.mean(axis=(0, 1))
    return np.clip(cv2.cvtColor(transferred.astype(np.float32), cv2.COLOR_LAB2RGB) * 255, 0, 255).astype(np.uint8)


def evaluate(clip: Clip) -> Outcome:
    report = verify_file(clip.path, clip.target, references=clip.references, prompt=clip.prompt).report
    findings = worst_verdicts(report)
    unverifiable = {name for name, verdict in findings.items() if verdict == Verdict.UNVERIFIABLE}
    error = ""
    if not clip.expected and findings:
        error = f"false alarm: {findings}"
    elif clip.expected and not clip.expected & findings.keys():
        error = f"not detected; findings: {findings}"
    elif unverifiable - clip.unverifiable:
        error = f"needlessly unverifiable: {sorted(unverifiable - clip.unverifiable)}"
    return Outcome(clip, str(report.verdict), findings, error)


def worst_verdicts(report: Report) -> dict[str, str]:
    """Worst verdict of each finding that is not `pass`, by name."""
    severity = [Verdict.UNVERIFIABLE, Verdict.WARN, Verdict.FAIL]
    findings = [finding for finding in report.findings if finding.verdict is not Verdict.PASS]
    findings.sort(key=lambda finding: severity.index(finding.verdict))
    return {finding.name: str(finding.verdict) for finding in findings}


def format_table(outcomes: Sequence[Outcome]) -> str:
    lines = [f"{'clips':<28}{'':>5}{'pass':>6}{'warn':>6}{'fail':>6}   wrong  findings"]
    for kind in dict.fromkeys(outcome.clip.kind for outcome in outcomes):
        group = [outcome for outcome in outcomes if outcome.clip.kind == kind]
        verdicts = Counter(outcome.verdict for outcome in group)
        names = Counter(f"{name} {verdict}" for outcome in group for name, verdict in outcome.findings.items())
        most_common = ", ".join(f"{name} {count}" for name, count in names.most_common(5))
        counts = "".join(f"{verdicts[verdict]:>6}" for verdict in ("pass", "warn", "fail"))
        wrong_count = sum(bool(outcome.error) for outcome in group)
        lines.append(f"{kind:<28}{len(group):>5}{counts}{wrong_count:>8}  {most_common}")
    return "\n".join(lines)


def run(
    folder: Path, *, photos_max: int | None = None, moves_max: int | None = None, workers: int = 2
) -> list[Outcome]:
    """Render the clips and evaluate them; the limits on photos and moves are for a shorter run."""
    photos = collect_images(folder)
    with ProcessPoolExecutor(workers) as pool:
        futures = [
            pool.submit(collect_clips, make, photos, folder, photos_max, moves_max)
            for make in (good_clips, broken_clips)
        ]
        clips = [clip for future in futures for clip in future.result()]
        return list(pool.map(evaluate, clips, chunksize=4))


def collect_clips(
    make: Callable[..., Iterator[Clip]],
    photos: Sequence[Path],
    folder: Path,
    photos_max: int | None,
    moves_max: int | None,
) -> list[Clip]:
    return list(make(photos, folder, photos_max, moves_max))


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        outcomes = run(Path(name))
    print(format_table(outcomes))
    wrong = [outcome for outcome in outcomes if outcome.error]
    for outcome in wrong:
        print(f"WRONG {outcome.clip.kind} ({outcome.clip.path.name}): {outcome.error}")
    print(f"{len(outcomes)} clips, {len(wrong)} reported wrongly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
