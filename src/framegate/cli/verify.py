"""`verify`: judge any video. Needs no server."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framegate.cli import console
from framegate.cli.connection import Json
from framegate.cli.console import Exit
from framegate.cli.output_path import NAMED
from framegate.domain.errors import ReferenceUnusable

if TYPE_CHECKING:
    from framegate.media.quality import Match, ReferencePicture, Report

References = Annotated[
    list[str] | None,
    typer.Option("--reference", "-r", metavar="[NAME=]FILE", help="Picture that it should show; again for each."),
]
FirstFrame = Annotated[Path | None, typer.Option("--first-frame", metavar="FILE", help="Picture it should begin with.")]
LastFrame = Annotated[Path | None, typer.Option("--last-frame", metavar="FILE", help="Picture it should end with.")]
Prompt = Annotated[
    str | None, typer.Option("--prompt", "-p", help="What was asked for: a still camera or cuts are then no fault.")
]
Matches = Annotated[
    Path | None, typer.Option("--matches", metavar="DIR", help="Save there the frames that match best.")
]
ModelDir = Annotated[
    Path | None,
    typer.Option("--quality-model-dir", metavar="DIR", help="Folder of a DINOv2 or CLIP model to look with too."),
]


def verify(
    file: Annotated[Path, typer.Argument(help="Any video, made here or not.")],
    *,
    reference: References = None,
    first_frame: FirstFrame = None,
    last_frame: LastFrame = None,
    prompt: Prompt = None,
    matches: Matches = None,
    quality_model_dir: ModelDir = None,
    json: Json = False,
) -> None:
    """Judge a video. Says what is wrong with it, whether the references are in it, and exits 1 when it fails.

    Example: framegate verify out.mp4 -r hero=front.jpg --first-frame start.png
    """
    if not file.is_file():
        console.fail(f"There is no file {file}.", Exit.NOT_FOUND)
    if matches and not matches.is_dir():
        console.fail(f"There is no folder {matches}.", Exit.USAGE, f"make it: mkdir -p {matches}")
    from framegate.config.loading import load
    from framegate.media import quality

    settings = load(quality_model_dir=quality_model_dir)
    pictures = list(_pictures(reference or (), first_frame, last_frame, settings.reference_pixels_max))
    verified = quality.verify(file, references=pictures, prompt=prompt, model_dir=settings.quality_model_dir)
    saved = _saved(verified.matches, matches, file) if matches else ()
    report = verified.report
    if json:
        found = [{**match.as_json(), "path": str(path)} for match, path in saved]
        console.out_json({"file": str(file), **report.as_json(), **({"matches": found} if matches else {})})
    else:
        _show(report, file)
        for _, path in saved:
            console.out(str(path))
    if report.verdict == quality.Verdict.FAIL:
        raise typer.Exit(Exit.FAILED)


def _pictures(
    references: Sequence[str], first: Path | None, last: Path | None, pixels_max: int
) -> "Iterator[ReferencePicture]":
    """The pictures in the order of a request: the frames, then the references."""
    from framegate.domain import Role
    from framegate.media import images
    from framegate.media.quality import ReferencePicture

    given = [(Role.FIRST_FRAME, first, None), (Role.LAST_FRAME, last, None)]
    given += [(Role.REFERENCE, *_named(text)) for text in references]
    for index, (role, path, name) in enumerate(one for one in given if one[1] is not None):
        if path is None or not path.is_file():
            console.fail(f"There is no file {path}; references are files here.", Exit.NOT_FOUND)
        try:
            images.look(path, pixels_max=pixels_max)
        except ReferenceUnusable as error:
            console.fail(f"{path}: {error.message}", Exit.REFUSED)
        yield ReferencePicture(path=path, role=role, index=index, name=name)


def _named(text: str) -> tuple[Path, str | None]:
    """Read `NAME=FILE`, unless a file is called just that."""
    named = NAMED.fullmatch(text)
    if named and not Path(text).exists():
        return Path(named[2]).expanduser(), named[1]
    return Path(text).expanduser(), None


def _saved(matches: "Sequence[Match]", folder: Path, file: Path) -> "list[tuple[Match, Path]]":
    saved = [(match, folder / f"{file.stem}-match-{match.reference}.jpg") for match in matches]
    for match, path in saved:
        path.write_bytes(match.jpeg)
    return saved


def _show(report: "Report", file: Path) -> None:
    """One line for each finding, by groups, and the verdict at the end."""
    for group in dict.fromkeys(finding.group for finding in report.findings):
        console.out(f"{group}:")
        for finding in report.findings:
            if finding.group == group:
                console.out(f"  {finding.verdict:<12}  {finding.name:<19}  {finding.sentence}")
    open_ones = sum(finding.verdict == "unverifiable" for finding in report.findings)
    console.out(f"{report.verdict}: {file}" + (f" ({open_ones} could not be verified)" if open_ones else ""))
