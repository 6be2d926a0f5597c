"""`verify` command: check a video file locally, without a server."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framegate.cli import console
from framegate.cli.connection import Json
from framegate.cli.console import Exit
from framegate.cli.output_path import NAMED_REFERENCE
from framegate.domain.errors import ReferenceUnusable

if TYPE_CHECKING:
    from framegate.media.quality import Match, ReferenceImage, Report

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
    reference_images = list(_load_references(reference or (), first_frame, last_frame, settings.reference_pixels_max))
    verified = quality.verify_file(
        file, references=reference_images, prompt=prompt, model_dir=settings.quality_model_dir
    )
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


def _load_references(
    references: Sequence[str], first: Path | None, last: Path | None, pixels_max: int
) -> "Iterator[ReferenceImage]":
    """Check the images and return them in the order of a request: the frames, then the references."""
    from framegate.domain import Role
    from framegate.media import images
    from framegate.media.quality import ReferenceImage

    frames = [(role, path, None) for role, path in ((Role.FIRST_FRAME, first), (Role.LAST_FRAME, last)) if path]
    named_files = [(Role.REFERENCE, *_parse_reference(text)) for text in references]
    for index, (role, path, name) in enumerate((*frames, *named_files)):
        if not path.is_file():
            console.fail(f"File not found: {path}. References must be local files.", Exit.NOT_FOUND)
        try:
            images.inspect_image(path, pixels_max=pixels_max)
        except ReferenceUnusable as error:
            console.fail(f"{path}: {error.message}", Exit.REFUSED)
        yield ReferenceImage(path=path, role=role, index=index, name=name)


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
