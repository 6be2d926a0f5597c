"""`generate` and `check` commands: the same options; `check` only validates."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framegate.cli import console
from framegate.cli.connection import Data, Json, Sandbox, Server, open_gateway
from framegate.cli.console import Exit
from framegate.cli.output_path import NAMED_REFERENCE, check_output_path, check_video_name, default_name
from framegate.domain.errors import InvalidRequest, TooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from framegate.client import CheckResult, Framegate, Job, VideoRequest
    from framegate.client.requests import Upload
    from framegate.domain import Problem

DURATION_PATTERN = re.compile(r"(\d{1,9})(?:\.0+)? ?(?:s|sec|secs|seconds?)?", re.IGNORECASE)


def parse_seconds(text: str) -> int:
    """Read a length in whole seconds: 5 or 5s."""
    match = DURATION_PATTERN.fullmatch(str(text).strip())
    if match is None:
        console.fail(f"Not a length in whole seconds: {text}", Exit.USAGE, "use a whole number, such as -d 5")
    return int(match[1])


Prompt = Annotated[str | None, typer.Option("--prompt", "-p", help="What to make; @name refers to a named reference.")]
References = Annotated[
    list[str] | None,
    typer.Option("--reference", "-r", metavar="[NAME=]FILE|URL", help="Reference picture; can be used multiple times."),
]
FirstFrame = Annotated[str | None, typer.Option("--first-frame", metavar="FILE|URL", help="First frame of the video.")]
LastFrame = Annotated[str | None, typer.Option("--last-frame", metavar="FILE|URL", help="Last frame of the video.")]
SourceVideo = Annotated[
    str | None,
    typer.Option("--source", metavar="FILE|URL", help="Video to extend, or to transform if the model does that."),
]
PreviousJob = Annotated[
    str | None, typer.Option("--previous-job", metavar="JOB", help="Completed job whose video is extended.")
]
Model = Annotated[
    str | None, typer.Option("--model", "-m", help="Model. Default: framegate/animatic, the built-in renderer.")
]
Duration = Annotated[
    int | None,
    typer.Option("--duration", "-d", metavar="SECONDS", parser=parse_seconds, help="Length in seconds, such as 5."),
]
Resolution = Annotated[str | None, typer.Option("--resolution", help="Such as 720p.")]
AspectRatio = Annotated[str | None, typer.Option("--aspect-ratio", help="Such as 16:9.")]
Size = Annotated[
    str | None, typer.Option("--size", metavar="WxH", help="Shorthand for --resolution and --aspect-ratio.")
]
Fps = Annotated[int | None, typer.Option("--fps", help="Frames per second.")]
Audio = Annotated[bool | None, typer.Option("--audio/--no-audio", help="With or without sound.")]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Seed: the same seed gives the same video, if the model supports it.")
]
Negative = Annotated[str | None, typer.Option("--negative-prompt", help="What the video must not show.")]
MaxCost = Annotated[
    float | None, typer.Option("--max-cost", metavar="USD", help="Reject the request if its estimated cost is higher.")
]

Providers = Annotated[
    list[str] | None,
    typer.Option(
        "--provider", metavar="NAME", help="Allowed provider, in order of preference; can be used multiple times."
    ),
]
Fallbacks = Annotated[
    list[str] | None,
    typer.Option(
        "--fallback", metavar="MODEL", help="Fallback model if the request is rejected; can be used multiple times."
    ),
]


def generate(  # noqa: PLR0913 - one parameter for each flag
    context: typer.Context,
    *,
    prompt: Prompt = None,
    reference: References = None,
    first_frame: FirstFrame = None,
    last_frame: LastFrame = None,
    model: Model = None,
    duration: Duration = None,
    resolution: Resolution = None,
    aspect_ratio: AspectRatio = None,
    size: Size = None,
    fps: Fps = None,
    audio: Audio = None,
    seed: Seed = None,
    negative_prompt: Negative = None,
    source: SourceVideo = None,
    previous_job: PreviousJob = None,
    provider: Providers = None,
    fallback: Fallbacks = None,
    max_cost: MaxCost = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Output file. Default: a name made from the prompt.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite an existing file.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Print the job id and exit.")] = False,
    idempotency_key: Annotated[
        str | None,
        typer.Option("--idempotency-key", help="Repeating the command with the same key returns the same job."),
    ] = None,
    json: Json = False,
    server: Server = None,
    data: Data = None,
    sandbox: Sandbox = False,
) -> None:
    """Make a video and save it.

    \b
    Example: framegate generate -r hero=cat.jpg -p "push in on @hero" -o out.mp4
    """  # noqa: D301 - so that the example is not wrapped
    reject_extra_words(context)
    local_request = build_request(locals())
    if no_wait and (output or force):
        flag = "--output" if output else "--force"
        console.fail(
            f"{flag} cannot be used with --no-wait.",
            Exit.USAGE,
            "save the video later with: framegate watch ID -o FILE",
        )
    if output:
        check_output_path(output, force=force)
        check_video_name(output)
    with open_gateway(server, data, sandbox=sandbox) as client:
        request = _upload_files(client, local_request)
        shown_warnings = _validate(client, request, reference or [])
        job = client.videos.create(idempotency_key=idempotency_key, **request)
        if no_wait:
            console.print_json(job.raw) if json else console.print_data(job.id)
            return
        if job.provider == "sandbox":
            console.print_message("Sandbox: the animatic renderer makes the file, and nothing is charged.")
        path = output or Path(default_name(prompt, job.id))
        wait_and_save(job, path, json=json, force=force, shown_warnings=shown_warnings)


def check(  # noqa: PLR0913 - one parameter for each flag
    context: typer.Context,
    *,
    prompt: Prompt = None,
    reference: References = None,
    first_frame: FirstFrame = None,
    last_frame: LastFrame = None,
    model: Model = None,
    duration: Duration = None,
    resolution: Resolution = None,
    aspect_ratio: AspectRatio = None,
    size: Size = None,
    fps: Fps = None,
    audio: Audio = None,
    seed: Seed = None,
    negative_prompt: Negative = None,
    source: SourceVideo = None,
    previous_job: PreviousJob = None,
    provider: Providers = None,
    fallback: Fallbacks = None,
    max_cost: MaxCost = None,
    json: Json = False,
    server: Server = None,
    data: Data = None,
    sandbox: Sandbox = False,
) -> None:
    """Validate a request without submitting it. Prints every problem, or the video and its estimated cost.

    \b
    Example: framegate check -m google/veo-3.1 -r front.jpg -p "she smiles" -d 5
    """  # noqa: D301 - so that the example is not wrapped
    reject_extra_words(context)
    local_request = build_request(locals())
    with open_gateway(server, data, sandbox=sandbox, brief=True) as client:
        result = client.videos.check(**_upload_files(client, local_request))
    if json:
        console.print_json(result.raw)
    console.show_warnings(result.warnings)
    if not result.ok:
        console.show_problems(result.problems, result.alternatives, reference or [])
        raise typer.Exit(Exit.REFUSED)
    if not json:
        for label, value in _summary(result):
            console.print_data(f"{label:<9} {value}")
        console.show_shots(result.shots)
        console.show_adjustments(result.adjustments)


EXTRA_WORDS = {"allow_extra_args": True}  # for `reject_extra_words`


def reject_extra_words(context: typer.Context) -> None:
    """End the command if there are words without a flag, such as a prompt, and say which flag they need."""
    if not context.args:
        return
    word = context.args[0]
    is_file = Path(word).expanduser().is_file() or word.startswith(("https://", "http://"))
    flag, what = ("-r", "A reference") if is_file else ("-p", "The prompt")
    command = f"framegate {context.info_name} {flag} {shlex.quote(word if is_file else ' '.join(context.args))}"
    console.fail(f"{what} needs a flag: {flag}", Exit.USAGE, command)


SAME_NAMES = (  # options called like their fields
    *("prompt", "first_frame", "last_frame", "model", "duration", "resolution", "aspect_ratio", "size", "fps", "seed"),
    "negative_prompt",
)


def build_request(flags: Mapping[str, Any]) -> "VideoRequest":
    """The request that the options of `generate` and `check` describe."""
    source, providers = flags["source"], flags["provider"]
    return {  # pyright: ignore[reportReturnType] - the keys are its own
        **{name: flags[name] for name in SAME_NAMES},
        "references": [*parse_references(flags["reference"]), *([{"url": source, "role": "source"}] if source else [])],
        "generate_audio": flags["audio"],
        "models": flags["fallback"] or (),
        "provider": {"only": providers, "order": providers} if providers else None,
        "max_cost_usd": flags["max_cost"],
        "previous_job_id": flags["previous_job"],
    }


def parse_references(texts: list[str] | None) -> list[Any]:
    """Read `NAME=FILE` if the right side is a URL or an existing file; otherwise the text is the path of a file."""
    from framegate.client.requests import URL_PREFIXES

    references: list[Any] = []
    for text in texts or ():
        match = NAMED_REFERENCE.fullmatch(text)
        if match and not Path(text).exists():
            name, location = match.groups()
            if location.lower().startswith(URL_PREFIXES) or Path(location).expanduser().exists():
                references.append({"url": location, "name": name})
                continue
        references.append(text)
    return references


def wait_and_save(job: "Job", path: Path, *, json: bool, force: bool, shown_warnings: "Sequence[Problem]" = ()) -> None:
    """Wait for a job with a progress bar, save its video and print the path. `shown_warnings` are not repeated."""
    from framegate.client import JobEnded

    try:
        with console.progress() as show:
            job.wait(on_event=show)
        check_output_path(path, force=force)
        job.save(path)
    except JobEnded:
        if json:
            console.print_json(job.refresh().raw)
        raise
    except KeyboardInterrupt:
        console.print_message(f"\nInterrupted. Job {job.id} is stored; nothing is lost.")
        console.print_hint(f"continue with: framegate watch {job.id} -o {shlex.quote(str(path))}")
        console.print_hint(f"cancel it with: framegate cancel {job.id}")
        raise typer.Exit(Exit.INTERRUPTED) from None
    _show_result(job, path, shown_warnings)
    console.print_json({**job.raw, "path": str(path)}) if json else console.print_data(str(path))


def _show_result(job: "Job", path: Path, shown_warnings: "Sequence[Problem]") -> None:
    """Print how the result differs from the request, and its cost."""
    console.show_failed_routes(job.raw.get("tried") or ())
    console.show_warnings([warning for warning in job.warnings if warning not in shown_warnings])
    console.show_adjustments(job.raw.get("adjustments") or ())
    if job.raw.get("quality") in ("warn", "fail"):
        console.print_message(f"warning: the file did not pass every check ({job.raw['quality']}).")
        console.print_hint(f"framegate verify {shlex.quote(str(path))}")
    if job.cost_usd:
        console.print_message(f"Cost: {console.dollars(job.cost_usd)}")


def _upload_files(client: "Framegate", request: "VideoRequest") -> "VideoRequest":
    """The request with local files uploaded, once for both the validation and the job."""
    from framegate.client.requests import Upload, resolve_references

    references: list[Any] = []
    frames: dict[str, Any] = {}
    for item in resolve_references(request):
        url = _upload(client, item.source) if isinstance(item.source, Upload) else item.source
        if item.role in ("first_frame", "last_frame"):
            frames[item.role] = url
        else:
            references.append(
                {"url": url, "kind": item.kind, "role": item.role, "name": item.name, "reference_type": item.type}
            )
    return {**request, **frames, "references": references}  # pyright: ignore[reportReturnType] - the keys are its own


def _upload(client: "Framegate", file: "Upload") -> str:
    """Store a local file. If the gateway rejects it, the command ends with the name of the file."""
    try:
        return client.assets.upload(file.source).url
    except UnsupportedMediaType:
        is_text = file.media_type.startswith("text/")
        hint = f'for a prompt in a file, use: -p "$(cat {shlex.quote(str(file.source))})"' if is_text else ""
        message = f"Not a picture, a video or a sound: {file.source}"
        console.fail(message, Exit.REFUSED, *filter(None, [hint]))
    except (InvalidRequest, TooLarge) as error:
        console.fail(f"{file.source}: {error.message}", Exit.REFUSED)


def _validate(client: "Framegate", request: "VideoRequest", references: list[str]) -> "Sequence[Problem]":
    """Validate before the job is created: problems end the command, an estimate is printed. Returns the warnings."""
    result = client.videos.check(**request)
    console.show_warnings(result.warnings)
    if not result.ok:
        console.show_problems(result.problems, result.alternatives, references)
        raise typer.Exit(Exit.REFUSED)
    if result.cost_usd:
        console.print_message(f"Estimate: {_estimate(result, f' for {result.model}')}")
    return result.warnings


def _summary(result: "CheckResult") -> list[tuple[str, str]]:
    target: dict[str, Any] = result.raw.get("target") or {}
    sound = "with sound" if target.get("audio") else "no sound"
    video = "{duration} s, {width}x{height}, {fps} fps".format_map(target) + f", {sound}" if target else "unknown"
    return [("model", result.model), ("video", video), ("estimate", _estimate(result))]


def _estimate(result: "CheckResult", model: str = "") -> str:
    """The estimated cost, and how it was calculated."""
    estimate: dict[str, Any] = result.raw.get("estimate") or {}
    if result.cost_usd is None:
        return "unknown"
    return ", ".join(filter(None, [console.dollars(result.cost_usd) + model, estimate.get("basis")]))
