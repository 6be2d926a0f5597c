"""`jobs`, `watch`, `download` and `cancel` commands, for existing jobs."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framegate.cli import console
from framegate.cli.connection import Data, JobId, Json, Server, open_gateway
from framegate.cli.console import Exit
from framegate.cli.generate import wait_and_save
from framegate.cli.output_path import check_output_path, default_name
from framegate.domain import Status
from framegate.domain.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from framegate.client import Framegate, Job

app = typer.Typer(rich_markup_mode=None)

Output = Annotated[Path | None, typer.Option("--output", "-o", help="Output file.")]
Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite an existing file.")]


@app.callback(invoke_without_command=True)
def jobs(  # noqa: PLR0913 - one parameter for each flag
    context: typer.Context,
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="Maximum number of jobs to list.")
    ] = 20,
    status: Annotated[
        list[Status] | None, typer.Option("--status", help="Only jobs with this status; can be used multiple times.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only jobs of this model.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only failed jobs; short for --status failed.")] = False,
    held: Annotated[
        bool, typer.Option("--held", help="Only jobs whose cost is held: see `framegate settle` and `resubmit`.")
    ] = False,
    all_owners: Annotated[
        bool, typer.Option("--all", help="Jobs of all owners; a server's key needs the scope admin.")
    ] = False,
    owner: Annotated[
        str | None, typer.Option("--owner", help="Jobs of this owner; a server's key needs the scope admin.")
    ] = None,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """List the jobs, newest first. Show one with `framegate jobs show ID`.

    \b
    Example: framegate jobs --status failed --json

    \b
    Of all owners, those that wait for a person: framegate jobs --all --held
    """  # noqa: D301 - so that the example is not wrapped
    if context.invoked_subcommand:
        _reject_options(context)
        return
    if owner is not None and all_owners:
        console.fail("--owner and --all cannot be used together.", Exit.USAGE)
    statuses = [*(status or ()), *((Status.FAILED,) if failed and Status.FAILED not in (status or ()) else ())]
    is_operator = all_owners or owner is not None
    with open_gateway(server, data, brief=True) as client:
        if is_operator:
            found = client.admin.jobs(owner=owner, limit=limit, status=statuses, model=model, held=held)
        else:
            found = client.videos.list(limit=limit, status=statuses, model=model, held=held)
        listed = list(found)
    if json:
        console.print_json({"data": [job.raw for job in listed]})
        return
    if not listed:
        console.print_message("No jobs.")
        return
    owner_head = ("OWNER", "COST") if is_operator else ()
    heads = ("ID", "STATUS", *owner_head, "MODEL", "CREATED", "PROMPT")
    console.table(heads, [_row(job, is_operator=is_operator) for job in listed])
    if held:
        console.print_hint("set the final cost with: framegate settle ID --cost USD")


@app.command()
def show(job_id: JobId, *, json: Json = False, server: Server = None, data: Data = None) -> None:
    """Show one job with its references, cost and webhooks.

    Example: framegate jobs show 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11
    """
    with open_gateway(server, data) as client:
        job, is_own = _find(client, job_id)
        webhooks = client.videos.webhooks(job_id) if is_own and job.raw.get("webhooks_url") else ()
        references = _references(client, job_id) if is_own else ()
    if json:
        extra = {"webhooks": webhooks, "references": references}
        console.print_json({**job.raw, **{name: value for name, value in extra.items() if value}})
        return
    for label, text in [*job_summary(job, references), *_webhook_lines(webhooks)]:
        console.print_wrapped(f"{label:<10}  ", text)
    if job.status in (Status.FAILED, Status.EXPIRED) and job.error_code != "submit_unsure":
        console.print_hint(f"run it again, which costs again, with: framegate rerun {job.id}")


def _references(client: "Framegate", job_id: str) -> "Sequence[Mapping[str, Any]]":
    try:
        return client.videos.references(job_id)
    except NotFound:  # a gateway of an earlier version
        return ()


def job_summary(job: "Job", references: "Sequence[Mapping[str, Any]]") -> "Iterator[tuple[str, str]]":
    """What a person wants to know about a job, as labels and texts; its links are only in the JSON."""
    raw = job.raw
    stage = f", {job.stage}" if not job.is_final and job.stage != job.status else ""
    progress = "" if job.progress is None or job.is_final else f" {job.progress:.0%}"
    yield "job", job.id
    yield "status", f"{job.status}{stage}{progress}"
    if job.error:
        yield "error", f"{job.error}" + (f" ({job.error_code})" if job.error_code else "")
    if raw.get("owner"):
        yield "owner", str(raw["owner"])
    yield "model", f"{job.model} at {job.provider}" if job.provider else job.model
    if job.prompt:
        yield "prompt", " ".join(job.prompt.split())
    yield from map(_reference_line, range(1, len(references) + 1), references)
    yield from _video(job)
    yield from _money(job)
    for label, field in (("created", "created_at"), ("started", "started_at"), ("ended", "completed_at")):
        if raw.get(field):
            yield label, _local_time(raw[field])
    yield from (("warning", warning.message) for warning in job.warnings)
    for route in raw.get("tried") or ():
        yield "tried", f"{route['model']} at {route['provider']}/{route['account']}: {route['error']}"
    metadata: Mapping[str, str] = raw.get("metadata") or {}
    yield from (("metadata", f"{name}: {value}") for name, value in metadata.items())


def _reference_line(number: int, reference: "Mapping[str, Any]") -> tuple[str, str]:
    name = f" @{reference['name']}" if reference.get("name") else ""
    kind = "picture" if reference["kind"] == "image" else reference["kind"]
    return f"{kind} {number}", f"{str(reference['role']).replace('_', ' ')}{name}: {reference['url']}"


def _video(job: "Job") -> "Iterator[tuple[str, str]]":
    raw = job.raw
    if raw.get("duration"):
        video = ", ".join(str(raw[name]) for name in ("size", "resolution", "aspect_ratio") if raw.get(name))
        seed = f", seed {raw['seed']}" if raw.get("seed") is not None else ""
        yield "video", f"{raw['duration']} s, {video}{seed}"
    for output in job.outputs:
        size = f"{output['bytes'] / 1e6:.1f} MB" if output.get("bytes") else "stored"
        yield "file", f"{output.get('width')}x{output.get('height')}, {size}, sha256 {str(output.get('sha256'))[:12]}…"
    if raw.get("quality"):
        yield "quality", str(raw["quality"])


def _money(job: "Job") -> "Iterator[tuple[str, str]]":
    estimate: Mapping[str, Any] = job.raw.get("estimate") or {}
    if job.cost_usd is not None:
        yield "cost", console.dollars(job.cost_usd)
    elif estimate.get("usd") is not None:
        yield "estimate", f"{console.dollars(estimate['usd'])}, {estimate.get('basis', '')}".rstrip(", ")
    if job.raw.get("bill"):
        yield "ledger", _bill(job)


def _webhook_lines(webhooks: "Sequence[Mapping[str, Any]]") -> "Iterator[tuple[str, str]]":
    for webhook in webhooks:
        yield "webhook", f"{webhook['id']} {webhook['type']} {webhook['state']}"
        yield from (("", _attempt(attempt)) for attempt in webhook["attempts"])


@app.command()
def replay(
    job_id: JobId,
    webhook_id: Annotated[
        str | None, typer.Argument(metavar="WEBHOOK", help="Webhook id. Default: every webhook that failed.")
    ] = None,
    *,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Send a job's webhooks again, with the same ids.

    Example: framegate jobs replay 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11
    """
    with open_gateway(server, data) as client:
        webhooks = client.videos.webhooks(job_id)
        failed = [webhook["id"] for webhook in webhooks if webhook["state"] == "failed"]
        replayed = [client.videos.replay_webhook(job_id, each) for each in ([webhook_id] if webhook_id else failed)]
    if json:
        console.print_json({"data": replayed})
        return
    for webhook in replayed:
        console.print_data(f"{webhook['id']} {webhook['type']}")
    if not replayed:
        console.print_message("No webhook of this job has failed.")


def watch(
    job_id: JobId,
    *,
    output: Output = None,
    force: Force = False,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Follow a job until it ends. Saves its video with -o.

    Example: framegate watch 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11 -o out.mp4
    """
    if force and not output:
        console.fail("--force can only be used with --output.", Exit.USAGE)
    if output:
        check_output_path(output, force=force)
    with open_gateway(server, data) as client:
        job = client.videos.get(job_id)
        if output:
            wait_and_save(job, output, json=json, force=force)
            return
        try:
            if json:
                for event in client.videos.events(job.id):
                    fields = {"job_id": event.job_id, "seq": event.seq, "at": event.at, "status": event.status}
                    console.print_json(fields | {"stage": event.stage, "progress": event.progress})
                job.wait()
                return
            with console.progress() as show_event:
                job.wait(on_event=show_event)
        except KeyboardInterrupt:
            console.print_message(f"\nInterrupted. Job {job.id} is stored; nothing is lost.")
            console.print_hint(f"continue with: framegate watch {job.id}")
            raise typer.Exit(Exit.INTERRUPTED) from None
    console.print_data(f"{job.id} {job.status}")
    console.print_hint(f"save the video with: framegate download {job.id}")


def download(
    job_id: JobId,
    *,
    output: Output = None,
    force: Force = False,
    index: Annotated[int, typer.Option("--index", min=0, help="Which video of the job.")] = 0,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Save a finished video.

    Example: framegate download 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11 -o out.mp4
    """
    with open_gateway(server, data, brief=True) as client:
        job = client.videos.get(job_id)
        path = output or Path(default_name(job.prompt, job.id))
        check_output_path(path, force=force)
        job.save(path, index)
    console.print_json({"id": job.id, "path": str(path)}) if json else console.print_data(str(path))


def cancel(job_id: JobId, *, json: Json = False, server: Server = None, data: Data = None) -> None:
    """Cancel a job.

    Example: framegate cancel 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11
    """
    with open_gateway(server, data, brief=True) as client:
        job = client.videos.cancel(job_id)
    console.print_json(job.raw) if json else console.print_data(f"{job.id} {job.status}")


def _find(client: "Framegate", job_id: str) -> "tuple[Job, bool]":
    """A job, and whether it belongs to the caller; an operator also finds those of other owners."""
    try:
        return client.videos.get(job_id), True
    except NotFound:
        try:
            return client.admin.job(job_id), False
        except (Forbidden, NotFound):
            pass
        raise


def _reject_options(context: typer.Context) -> None:
    """End the command if an option of `jobs` is before the subcommand, which would not see it."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            console.fail(
                f"--{name.removesuffix('_owners')} cannot be used before `{context.invoked_subcommand}`.", Exit.USAGE
            )


def _local_time(seconds: float) -> str:
    """Date and time in the time zone of this machine."""
    return dt.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _attempt(attempt: Mapping[str, Any]) -> str:
    outcome = attempt.get("error") or f"HTTP {attempt.get('status')}"
    return f"attempt {attempt['number']} at {_local_time(attempt['at'])}: {outcome} ({attempt['milliseconds']} ms)"


def _row(job: "Job", *, is_operator: bool) -> tuple[str, ...]:
    created_at = job.raw.get("created_at")
    created = dt.datetime.fromtimestamp(created_at).astimezone().strftime("%Y-%m-%d %H:%M") if created_at else "-"
    prompt = " ".join(job.prompt.split())
    owned = (str(job.raw.get("owner") or "-"), _bill(job)) if is_operator else ()
    return (job.id, str(job.status), *owned, job.model, created, prompt if len(prompt) <= 50 else f"{prompt[:49]}…")


def _bill(job: "Job") -> str:
    """The ledger entry: $0.32 held."""
    from framegate.domain.ledger import dollars

    bill: Mapping[str, Any] = job.raw.get("bill") or {}
    amount = bill.get("settled_micro_usd", bill.get("reserved_micro_usd"))
    if bill.get("state") == "void":
        return "void"
    return f"{'unknown' if amount is None else dollars(amount)} {bill['state']}" if bill else "-"
