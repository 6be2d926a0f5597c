"""Does the quality report notice what goes wrong, and leave alone what does not? Good clips, and every planted fault.

Pictures are the photos of the tests and some drawn here; clips are made by the animatic engine and then broken. Prints
a confusion table. Exits 1 when a good clip is warned of or fails, a fault is passed over, or `unverifiable` stands
where the method can know.
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
from framegate.media.quality import ReferencePicture, Report, Verdict, verify

PHOTOS = Path(__file__).parents[1] / "tests" / "support" / "photos"
TARGET = Target(width=480, height=270, fps=24, duration=2, audio=False, seed=None)
DRAWN = 5
MOVES = ("slow push-in", "pull out", "pan right", "tilt up", "locked-off", "dramatic fast push in", "gentle pan left")
Frames = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Clip:
    """A clip, what was asked for, and what the report must say: one of `noticed`; only `unsure` may be unverifiable."""

    kind: str
    path: Path
    references: tuple[ReferencePicture, ...]
    prompt: str
    target: Target = TARGET
    noticed: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Outcome:
    """How a clip was judged."""

    clip: Clip
    verdict: str
    told: dict[str, str]  # findings that did not simply pass, by name: the worst verdict
    missed: str  # what is wrong with the judgement; empty where nothing is


@dataclass(frozen=True)
class Plant:
    """A way to break a clip: its frames, or how they are written, or the file, or what was asked for."""

    noticed: frozenset[str]
    frames: Callable[[Frames, Frames], Frames] | None = None  # of the clip, and of another one
    fps: int = TARGET.fps
    size: tuple[int, int] = (TARGET.width, TARGET.height)
    faststart: bool = True
    cut_at: float | None = None  # share of the bytes
    target: Target = TARGET
    unsure: frozenset[str] = frozenset()


def frozen(frames: Frames, other: Frames) -> Frames:
    return [frames[len(frames) // 2]] * len(frames)


def black(frames: Frames, other: Frames) -> Frames:
    half = len(frames) // 2
    return [*frames[:half], *([np.zeros_like(frames[0])] * (len(frames) - half))]


def grey(frames: Frames, other: Frames) -> Frames:
    half = len(frames) // 2
    return [*frames[:half], *([np.full_like(frames[0], 128)] * (len(frames) - half))]


def flicker(frames: Frames, other: Frames) -> Frames:
    return [
        np.clip(one.astype(int) + (18 if at % 2 else -18), 0, 255).astype(np.uint8) for at, one in enumerate(frames)
    ]


def shuffled(frames: Frames, other: Frames) -> Frames:
    return random.Random(4).sample(frames, len(frames))


def noise(frames: Frames, other: Frames) -> Frames:
    chance = np.random.default_rng(5)
    return [chance.integers(0, 256, one.shape, np.uint8) for one in frames]


def cut(frames: Frames, other: Frames) -> Frames:
    half = len(frames) // 2
    return [*frames[:half], *other[half:]]


def shorter(frames: Frames, other: Frames) -> Frames:
    return frames[: len(frames) * 2 // 3]


NOTHING_LEFT = frozenset({"reference", "palette"})
PLANTS = {
    "truncated": Plant(frozenset({"complete", "decodes"}), cut_at=0.6, unsure=frozenset({"frozen", "flicker", "jerk"})),
    "moov last": Plant(frozenset({"moov_first"}), faststart=False),
    "frozen": Plant(frozenset({"frozen"}), frozen),
    "black": Plant(frozenset({"black"}), black),
    "grey": Plant(frozenset({"flat"}), grey),
    "flicker": Plant(frozenset({"flicker"}), flicker),
    "shuffled": Plant(frozenset({"jerk"}), shuffled),
    "noise": Plant(frozenset({"noise"}), noise, unsure=NOTHING_LEFT),
    "cut": Plant(frozenset({"cuts"}), cut),
    "wrong fps": Plant(frozenset({"fps"}), fps=16),
    "wrong length": Plant(frozenset({"duration", "frames"}), shorter),
    "wrong size": Plant(frozenset({"size"}), size=(432, 240)),
    "audio missing": Plant(frozenset({"audio"}), target=replace(TARGET, audio=True)),
}


def drawn(seed: int, path: Path) -> Path:
    """A picture of no particular thing: shapes, strokes and grain over a gradient, with colours of its own."""
    chance = random.Random(seed)
    width, height = chance.choice([(960, 540), (720, 720), (600, 800), (1024, 768)])
    base = [chance.randrange(20, 236) for _ in range(3)]
    ramp = np.linspace(-40, 40, width)[None, :, None] + np.zeros((height, 1, 3))
    image = Image.fromarray(np.clip(np.array(base) + ramp, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(140):
        x, y, size = chance.randrange(width), chance.randrange(height), chance.randrange(10, 90)
        colour = tuple(min(255, max(0, part + chance.randrange(-90, 90))) for part in base)
        corners = [
            (x + chance.randrange(-size, size), y + chance.randrange(-size, size))
            for _ in range(chance.randrange(3, 7))
        ]
        if chance.random() < 0.3:
            draw.ellipse((x, y, x + size, y + size // 2 + 4), fill=colour)
        else:
            draw.polygon(corners, fill=colour, outline=tuple(255 - part for part in colour))
    grain = np.random.default_rng(seed).normal(0, 6, (height, width, 1))
    Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)).save(path)
    return path


def pictures(folder: Path) -> list[Path]:
    return [*sorted(PHOTOS.glob("*.[jp][pn]g")), *(drawn(seed, folder / f"drawn-{seed}.png") for seed in range(DRAWN))]


def make(
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


def read(path: Path) -> Frames:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def write(frames: Frames, path: Path, plant: Plant) -> Path:
    options = {"movflags": "+faststart"} if plant.faststart else {}
    with av.open(str(path), "w", format="mp4", options=options) as file:
        stream = file.add_stream("libx264", rate=plant.fps, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *plant.size, "yuv420p"
        for at, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(
                cv2.resize(pixels, plant.size, interpolation=cv2.INTER_AREA), format="rgb24"
            )
            frame.pts, frame.time_base = at, Fraction(1, plant.fps)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    if plant.cut_at:
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * plant.cut_at)])
    return path


def asked(*paths: Path, roles: Sequence[Role] = ()) -> tuple[ReferencePicture, ...]:
    named = [*roles, *[Role.REFERENCE] * (len(paths) - len(roles))]
    return tuple(
        ReferencePicture(path=path, role=role, index=at)
        for at, (path, role) in enumerate(zip(paths, named, strict=True))
    )


def good(photos: Sequence[Path], folder: Path, most: int | None) -> Iterator[Clip]:
    for at, photo in enumerate(photos[:most]):
        for number, move in enumerate(MOVES):
            path = make(folder / f"good-{at}-{number}.mp4", move, [photo])
            yield Clip("good: one picture", path, asked(photo), move)
        following = [photos[(at + step) % len(photos)] for step in range(1, 4)]
        for number, (prompt, shots) in enumerate(
            (("push in, then pan left", [photo, *following[:1]]), ("hard cut between them", [photo, *following[:2]]))
        ):
            path = make(folder / f"shots-{at}-{number}.mp4", prompt, shots)
            yield Clip("good: several pictures", path, asked(*shots), prompt)
        path = make(folder / f"frames-{at}.mp4", "a slow change", first=photo, last=following[0])
        roles = (Role.FIRST_FRAME, Role.LAST_FRAME)
        yield Clip("good: first and last frame", path, asked(photo, following[0], roles=roles), "a slow change")


def broken(photos: Sequence[Path], folder: Path, most: int | None) -> Iterator[Clip]:
    for at, photo in enumerate(photos[:most]):
        other = photos[(at + 1) % len(photos)]
        move = MOVES[(0, 2, 5)[at % 3]]
        source = make(folder / f"base-{at}.mp4", move, [photo])
        frames, others = read(source), read(make(folder / f"base-{at}-other.mp4", move, [other]))
        for kind, plant in PLANTS.items():
            path = folder / f"{kind.replace(' ', '-')}-{at}.mp4"
            write(plant.frames(frames, others) if plant.frames else frames, path, plant)
            yield Clip(kind, path, asked(photo), move, plant.target, plant.noticed, plant.unsure)
        unsure = frozenset({"reference", "palette"})
        yield Clip("wrong reference", source, asked(other), move, TARGET, frozenset({"reference"}), unsure)
        swapped = asked(other, photo, roles=(Role.FIRST_FRAME, Role.LAST_FRAME))
        path = make(folder / f"swap-{at}.mp4", "a slow change", first=photo, last=other)
        yield Clip(
            "reference swapped", path, swapped, "a slow change", TARGET, frozenset({"first_frame", "last_frame"})
        )
        styled = write([dressed(one, photo) for one in others], folder / f"styled-{at}.mp4", Plant(frozenset()))
        yield Clip("style only", styled, asked(photo), move, TARGET, frozenset({"reference"}), unsure)


def dressed(frame: NDArray[np.uint8], style: Path) -> NDArray[np.uint8]:
    """The frame in the colours of another picture: its mean and spread in Lab, and nothing else."""
    with Image.open(style) as image:
        wanted = cv2.cvtColor(np.float32(image.convert("RGB")) / 255, cv2.COLOR_RGB2LAB)
    lab = cv2.cvtColor(np.float32(frame) / 255, cv2.COLOR_RGB2LAB)
    spread = wanted.std(axis=(0, 1)) / np.maximum(lab.std(axis=(0, 1)), 1)
    moved = (lab - lab.mean(axis=(0, 1))) * spread + wanted.mean(axis=(0, 1))
    return np.clip(cv2.cvtColor(np.float32(moved), cv2.COLOR_LAB2RGB) * 255, 0, 255).astype(np.uint8)


def judge(clip: Clip) -> Outcome:
    report = verify(clip.path, clip.target, references=clip.references, prompt=clip.prompt).report
    told = {finding.name: str(finding.verdict) for finding in reversed(worst_last(report))}
    unsure = {name for name, verdict in told.items() if verdict == Verdict.UNVERIFIABLE}
    missed = ""
    if not clip.noticed and told:
        missed = f"said to be amiss: {told}"
    elif clip.noticed and not clip.noticed & told.keys():
        missed = f"passed over; told {told}"
    elif unsure - clip.unsure:
        missed = f"unverifiable without need: {sorted(unsure - clip.unsure)}"
    return Outcome(clip, str(report.verdict), told, missed)


def worst_last(report: Report) -> list:
    order = [Verdict.UNVERIFIABLE, Verdict.WARN, Verdict.FAIL]
    found = [finding for finding in report.findings if finding.verdict is not Verdict.PASS]
    return sorted(found, key=lambda finding: -order.index(finding.verdict))


def table(outcomes: Sequence[Outcome]) -> str:
    lines = [f"{'clips':<28}{'':>5}{'pass':>6}{'warn':>6}{'fail':>6}   missed  noticed by"]
    for kind in dict.fromkeys(outcome.clip.kind for outcome in outcomes):
        those = [outcome for outcome in outcomes if outcome.clip.kind == kind]
        verdicts = Counter(outcome.verdict for outcome in those)
        names = Counter(f"{name} {verdict}" for outcome in those for name, verdict in outcome.told.items())
        by = ", ".join(f"{name} {count}" for name, count in names.most_common(5))
        counts = "".join(f"{verdicts[verdict]:>6}" for verdict in ("pass", "warn", "fail"))
        lines.append(f"{kind:<28}{len(those):>5}{counts}{sum(bool(one.missed) for one in those):>9}  {by}")
    return "\n".join(lines)


def run(folder: Path, *, photos_most: int | None = None, workers: int = 2) -> list[Outcome]:
    """Make the clips and judge them; `photos_most` is of how many pictures, for a shorter run."""
    photos = pictures(folder)
    with ProcessPoolExecutor(workers) as pool:
        made = [pool.submit(collect, kind, photos, folder, photos_most) for kind in (good, broken)]
        clips = [clip for one in made for clip in one.result()]
        return list(pool.map(judge, clips, chunksize=4))


def collect(kind: Callable[..., Iterator[Clip]], photos: Sequence[Path], folder: Path, most: int | None) -> list[Clip]:
    return list(kind(photos, folder, most))


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        outcomes = run(Path(name))
    print(table(outcomes))
    missed = [outcome for outcome in outcomes if outcome.missed]
    for outcome in missed:
        print(f"MISSED {outcome.clip.kind} ({outcome.clip.path.name}): {outcome.missed}")
    print(f"{len(outcomes)} clips, {len(missed)} misjudged")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
