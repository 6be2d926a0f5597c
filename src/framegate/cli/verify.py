"""`verify` command: check a video file locally, without a server."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framegate.cli import console
from framegate.cli.connection import Json
from framegate.cli.console import Exit
from framegate.cli.output_path import NAMED_REFERENCE
from framegate.domain import Role
from framegate.domain.errors import ReferenceUnusable

if TYPE_CHECKING:
    from framegate.config.settings import Settings
    from framegate.media.quality import Match, Report, Verification

CPU_SECONDS_MAX = 600.0

References = Annotated[
    list[str] | None,
    typer.Option(
        "--reference", "-r", metavar="[NAME=]FILE", help="Image that the video should show; can be used multiple times."
    ),
]
FirstFrame = Annotated[Path | None, typer.Option("--first-frame", metavar="FILE", help="Image of the first frame.")]
LastFrame = Annotated[Path | None, typer.Option("--last-frame", metavar="FILE", help="Image of the last frame.")]
Prompt = Annotated[
    str | None,
    typer.Option("--prompt", "-p", help="Prompt of the video; cuts or effects that it asks for are not faults."),
]
Matches = Annotated[
    Path | None, typer.Option("--matches", metavar="DIR", help="Folder to save the best matching frames in.")
]
ModelDir = Annotated[
    Path | None,
    typer.Option("--quality-model-dir", metavar="DIR", help="Folder of a DINOv2 or CLIP model for the learned checks."),
]


def verify(
    file: Annotated[Path, typer.Argument(help="Any video file.")],
    *,
    reference: References = None,
    first_frame: FirstFrame = None,
    last_frame: LastFrame = None,
    prompt: Prompt = None,
    matches: Matches = None,
    quality_model_dir: ModelDir = None,
    json: Json = False,
) -> None:
    """Check a video file. Reports its faults and whether the references appear in it. Exits 1 if a check fails.

    Example: framegate verify out.mp4 -r hero=front.jpg --first-frame start.png
    """
    if not file.is_file():
        console.fail(f"File not found: {file}", Exit.NOT_FOUND)
    if matches and not matches.is_dir():
        console.fail(f"Folder not found: {matches}", Exit.USAGE, f"create it: mkdir -p {matches}")
    from framegate.config.loading import load
    from framegate.media import quality

    settings = load(quality_model_dir=quality_model_dir)
    frames = [(Role.FIRST_FRAME, first_frame, None), (Role.LAST_FRAME, last_frame, None)]
    named = [(Role.REFERENCE, *_parse_reference(text)) for text in reference or ()]
    images = [(role, path, name) for role, path, name in (*frames, *named) if path is not None]
    for _, path, _ in images:
        if not path.is_file():
            console.fail(f"File not found: {path}. References must be local files.", Exit.NOT_FOUND)
    verified = asyncio.run(_verify(file, images, prompt, settings))
    saved = _save_matches(verified.matches, matches, file) if matches else ()
    report = verified.report
    if json:
        listed = [{**match.as_json(), "path": str(path)} for match, path in saved]
        console.print_json({"file": str(file), **report.as_json(), **({"matches": listed} if matches else {})})
    else:
        _print_report(report, file)
        for _, path in saved:
            console.print_data(str(path))
    if report.verdict == quality.Verdict.FAIL:
        raise typer.Exit(Exit.FAILED)


async def _verify(
    file: Path, images: "Sequence[tuple[Role, Path, str | None]]", prompt: str | None, settings: "Settings"
) -> "Verification":
    """Decode the files in a process with limits, as the gateway does."""
    from framegate.domain.machine import REAL_MACHINE
    from framegate.media import calls
    from framegate.media.decoder import Budget, DecoderFault, DecoderPool, FileLimitExceeded, Lane
    from framegate.media.quality import ReferenceImage

    pool = DecoderPool({Lane.INSPECT: 1}, memory_bytes_max=settings.decoder_bytes_max, clock=REAL_MACHINE)
    references: list[ReferenceImage] = []
    path = file
    try:
        for index, (role, path, name) in enumerate(images):
            await pool.run(calls.inspect_image, path, settings.reference_pixels_max)
            references.append(ReferenceImage(path=path, role=role, index=index, name=name))
        path = file
        arguments = (file, None, references, prompt, settings.quality_model_dir)
        return await pool.run(calls.verify_output, *arguments, budget=Budget(cpu_seconds=CPU_SECONDS_MAX))
    except (ReferenceUnusable, FileLimitExceeded) as error:
        console.fail(f"{path}: {error.message}", Exit.REFUSED)
    except DecoderFault:
        console.fail(f"{path}: the file is damaged and makes the decoder fail.", Exit.REFUSED)
    finally:
        await pool.close()


def _parse_reference(text: str) -> tuple[Path, str | None]:
    """Parse `NAME=FILE`, unless a file with that whole name exists."""
    match = NAMED_REFERENCE.fullmatch(text)
    if match and not Path(text).exists():
        return Path(match[2]).expanduser(), match[1]
    return Path(text).expanduser(), None


def _save_matches(matches: "Sequence[Match]", folder: Path, file: Path) -> "list[tuple[Match, Path]]":
    saved = [(match, folder / f"{file.stem}-match-{match.reference}.jpg") for match in matches]
    for match, path in saved:
        path.write_bytes(match.jpeg)
    return saved


def _print_report(report: "Report", file: Path) -> None:
    """Print one line for each finding, by group, and the verdict at the end."""
    for group in dict.fromkeys(finding.group for finding in report.findings):
        console.print_data(f"{group}:")
        for finding in report.findings:
            if finding.group == group:
                console.print_data(f"  {finding.verdict:<12}  {finding.name:<19}  {finding.sentence}")
    unverified = sum(finding.verdict == "unverifiable" for finding in report.findings)
    console.print_data(f"{report.verdict}: {file}" + (f" ({unverified} could not be verified)" if unverified else ""))
