"""`generate` and `check`: the same flags, one places the job and the other only asks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framegate.cli import console
from framegate.cli.connection import Data, Json, Sandbox, Server, open_gateway
from framegate.cli.console import Exit
from framegate.cli.output_path import NAMED, default_name, free_place
from framegate.domain.errors import InvalidRequest, TooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from framegate.client import CheckResult, Framegate, Job, VideoRequest
    from framegate.client.requests import Upload
    from framegate.domain import Problem

Prompt = Annotated[str | None, typer.Option("--prompt", "-p", help="What to make; @name calls a named reference.")]
References = Annotated[
    list[str] | None,
    typer.Option("--reference", "-r", metavar="[NAME=]FILE|URL", help="Reference picture; again for each."),
]
FirstFrame = Annotated[str | None, typer.Option("--first-frame", metavar="FILE|URL", help="The video begins with it.")]
LastFrame = Annotated[str | None, typer.Option("--last-frame", metavar="FILE|URL", help="The video ends with it.")]
Clip = Annotated[str | None, typer.Option("--source", metavar="FILE|URL", help="A video to go on from, or to change.")]
Before = Annotated[str | None, typer.Option("--previous-job", metavar="JOB", help="A job whose video to go on from.")]
Model = Annotated[
    str | None, typer.Option("--model", "-m", help="Model; framegate/animatic, our own renderer, where not given.")
]
Duration = Annotated[int | None, typer.Option("--duration", "-d", metavar="SECONDS", help="Length in seconds.")]
Resolution = Annotated[str | None, typer.Option("--resolution", help="Such as 720p.")]
AspectRatio = Annotated[str | None, typer.Option("--aspect-ratio", help="Such as 16:9.")]
Size = Annotated[str | None, typer.Option("--size", metavar="WxH", help="In place of the two above: 1280x720.")]
Fps = Annotated[int | None, typer.Option("--fps", help="Frames per second.")]
Audio = Annotated[bool | None, typer.Option("--audio/--no-audio", help="With or without sound.")]
Seed = Annotated[int | None, typer.Option("--seed", help="The same seed, the same video, where the model can.")]
Negative = Annotated[str | None, typer.Option("--negative-prompt", help="What must not be seen.")]
MaxCost = Annotated[float | None, typer.Option("--max-cost", metavar="USD", help="Refuse what would cost more.")]

Providers = Annotated[
    list[str] | None,
    typer.Option("--provider", metavar="NAME", help="Who may make it; again for each, the first first."),
]
Fallbacks = Annotated[
    list[str] | None, typer.Option("--fallback", metavar="MODEL", help="A model to take where the one before says no.")
]


def generate(  # noqa: PLR0913 - one parameter for each flag
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
    source: Clip = None,
    previous_job: Before = None,
    provider: Providers = None,
    fallback: Fallbacks = None,
    max_cost: MaxCost = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where the video goes.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Write over a file that is there.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Print the job's id and leave.")] = False,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help="The same key, the same job, however often it is sent.")
    ] = None,
    json: Json = False,
    server: Server = None,
    data: Data = None,
    sandbox: Sandbox = False,
) -> None:
    """Make a video and save it.

    \b
    Example: framegate generate -r hero=front.jpg -r side.png -p "a slow push-in on @hero at dusk" -o out.mp4
    """  # noqa: D301 - so that the example is not wrapped
    asked = requested(locals())
    if output and not no_wait:
        free_place(output, force=force)
    with open_gateway(server, data, sandbox=sandbox) as gate:
        request = _uploaded(gate, asked)
        told = _agree(gate, request, reference or [])
        job = gate.videos.create(idempotency_key=idempotency_key, **request)
        if no_wait:
            console.out_json(job.raw) if json else console.out(job.id)
            return
        if job.provider == "sandbox":
            console.say("Sandbox: our own renderer makes the file, and nothing is spent.")
        place = output or Path(default_name(prompt, job.id))
        finish(job, place, again=f"framegate watch {job.id} -o {place}", json=json, force=force, told=told)


def check(  # noqa: PLR0913 - one parameter for each flag
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
    source: Clip = None,
    previous_job: Before = None,
    provider: Providers = None,
    fallback: Fallbacks = None,
    max_cost: MaxCost = None,
    json: Json = False,
    server: Server = None,
    data: Data = None,
    sandbox: Sandbox = False,
) -> None:
    """Judge a request. Says every problem, or the video it asks for and the price; places nothing.

    \b
    Example: framegate check -m google/veo-3.1 -r front.jpg -p "she turns to us" --duration 5
    """  # noqa: D301 - so that the example is not wrapped
    asked = requested(locals())
    with open_gateway(server, data, sandbox=sandbox, brief=True) as gate:
        verdict = gate.videos.check(**_uploaded(gate, asked))
    if json:
        console.out_json(verdict.raw)
    console.show_warnings(verdict.warnings)
    if not verdict.ok:
        console.show_problems(verdict.problems, verdict.alternatives, reference or [])
        raise typer.Exit(Exit.REFUSED)
    if not json:
        for name, value in _described(verdict):
            console.out(f"{name:<9} {value}")
        console.show_shots(verdict.shots)
        console.show_adjustments(verdict.adjustments)


SAME = (
    *("prompt", "first_frame", "last_frame", "model", "duration", "resolution", "aspect_ratio", "size", "fps", "seed"),
    "negative_prompt",
)


def requested(flags: Mapping[str, Any]) -> "VideoRequest":
    """The request that the flags of `generate` and `check` make."""
    clip, providers = flags["source"], flags["provider"]
    return {  # pyright: ignore[reportReturnType] - the keys are its own
        **{name: flags[name] for name in SAME},
        "references": [*references(flags["reference"]), *([{"url": clip, "role": "source"}] if clip else [])],
        "generate_audio": flags["audio"],
        "models": flags["fallback"] or (),
        "provider": {"only": providers, "order": providers} if providers else None,
        "max_cost_usd": flags["max_cost"],
        "previous_job_id": flags["previous_job"],
    }


def references(given: list[str] | None) -> list[Any]:
    """Read `NAME=FILE` where the right is there or an address; else the whole is the file."""
    from framegate.client.requests import URL_PREFIXES

    found: list[Any] = []
    for text in given or ():
        named = NAMED.fullmatch(text)
        if named and not Path(text).exists():
            name, where = named.groups()
            if where.lower().startswith(URL_PREFIXES) or Path(where).expanduser().exists():
                found.append({"url": where, "name": name})
                continue
        found.append(text)
    return found


def finish(job: "Job", place: Path, *, again: str, json: bool, force: bool, told: "Sequence[Problem]" = ()) -> None:
    """Wait for a job with a bar, save its video and write where it lies. `told`: warnings that were said already."""
    from framegate.client import JobEnded

    try:
        with console.progress() as show:
            job.wait(on_event=show)
        free_place(place, force=force)
        job.save(place)
    except JobEnded:
        if json:
            console.out_json(job.refresh().raw)
        raise
    except KeyboardInterrupt:
        console.say(f"\nInterrupted. Job {job.id} is kept; nothing is lost.")
        console.hint(f"go on with: {again}")
        console.hint(f"stop it with: framegate cancel {job.id}")
        raise typer.Exit(Exit.INTERRUPTED) from None
    _tell(job, place, told)
    console.out_json({**job.raw, "path": str(place)}) if json else console.out(str(place))


def _tell(job: "Job", place: Path, told: "Sequence[Problem]") -> None:
    """Say what was not as asked, and what it cost."""
    console.show_tried(job.raw.get("tried") or ())
    console.show_warnings([warning for warning in job.warnings if warning not in told])
    console.show_adjustments(job.raw.get("adjustments") or ())
    if job.raw.get("quality") in ("warn", "fail"):
        console.say(f"warning: the file has not passed every check ({job.raw['quality']}).")
        console.hint(f"framegate verify {place}")
    if job.cost_usd:
        console.say(f"Cost: {console.dollars(job.cost_usd)}")


def _uploaded(gate: "Framegate", request: "VideoRequest") -> "VideoRequest":
    """The same request with local files stored at the gate, once for the check and the job alike."""
    from framegate.client.requests import Upload, resolve_references

    stored: list[Any] = []
    frames: dict[str, Any] = {}
    for given in resolve_references(request):
        url = _kept(gate, given.source) if isinstance(given.source, Upload) else given.source
        if given.role in ("first_frame", "last_frame"):
            frames[given.role] = url
        else:
            stored.append(
                {"url": url, "kind": given.kind, "role": given.role, "name": given.name, "reference_type": given.type}
            )
    return {**request, **frames, "references": stored}  # pyright: ignore[reportReturnType] - the keys are its own


def _kept(gate: "Framegate", file: "Upload") -> str:
    """Store a local file; where the gate does not take it, the command ends with the file's name."""
    try:
        return gate.assets.upload(file.source).url
    except (InvalidRequest, TooLarge, UnsupportedMediaType) as error:
        console.fail(f"{file.source}: {error.message}", Exit.REFUSED)


def _agree(gate: "Framegate", request: "VideoRequest", given: list[str]) -> "Sequence[Problem]":
    """Check before anything is placed: problems end the command, a price is told. Gives the warnings back."""
    verdict = gate.videos.check(**request)
    console.show_warnings(verdict.warnings)
    if not verdict.ok:
        console.show_problems(verdict.problems, verdict.alternatives, given)
        raise typer.Exit(Exit.REFUSED)
    if verdict.cost_usd:
        console.say(f"Estimate: {_priced(verdict, f' for {verdict.model}')}")
    return verdict.warnings


def _described(verdict: "CheckResult") -> list[tuple[str, str]]:
    target: dict[str, Any] = verdict.raw.get("target") or {}
    sound = "with sound" if target.get("audio") else "no sound"
    video = "{duration} s, {width}x{height}, {fps} fps".format_map(target) + f", {sound}" if target else "not told"
    return [("model", verdict.model), ("video", video), ("estimate", _priced(verdict))]


def _priced(verdict: "CheckResult", model: str = "") -> str:
    """The estimate, and how it was reckoned."""
    estimate: dict[str, Any] = verdict.raw.get("estimate") or {}
    if verdict.cost_usd is None:
        return "not known"
    return ", ".join(filter(None, [console.dollars(verdict.cost_usd) + model, estimate.get("basis")]))
