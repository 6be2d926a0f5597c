"""Jobs that are there already: `jobs`, `watch`, `download`, `cancel`."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framegate.cli import console
from framegate.cli.connection import Data, JobId, Json, Server, open_gateway
from framegate.cli.console import Exit
from framegate.cli.generate import finish
from framegate.cli.output_path import default_name, free_place
from framegate.domain import Status

if TYPE_CHECKING:
    from framegate.client import Job

app = typer.Typer(rich_markup_mode=None)

Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where the video goes.")]
Force = Annotated[bool, typer.Option("--force", "-f", help="Write over a file that is there.")]


@app.callback(invoke_without_command=True)
def jobs(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many.")] = 20,
    status: Annotated[list[Status] | None, typer.Option("--status", help="Only these; again for each.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only of this model.")] = None,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """List the jobs, newest first. `jobs show ID` shows one whole.

    Example: framegate jobs --status failed --json
    """
    if context.invoked_subcommand:
        return
    with open_gateway(server, data, brief=True) as gate:
        found = list(gate.videos.list(limit=limit, status=status or (), model=model))
    if json:
        console.out_json({"data": [job.raw for job in found]})
        return
    if not found:
        console.say("No jobs.")
        return
    console.table(("ID", "STATUS", "MODEL", "CREATED", "PROMPT"), [_row(job) for job in found])


@app.command()
def show(job_id: JobId, *, json: Json = False, server: Server = None, data: Data = None) -> None:
    """Show one job whole. With its webhooks, and every try to hand them over.

    Example: framegate jobs show 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11
    """
    import json as encoder

    with open_gateway(server, data) as gate:
        job = gate.videos.get(job_id)
        webhooks = gate.videos.webhooks(job_id) if job.raw.get("webhooks_url") else ()
    if json:
        console.out_json({**job.raw, "webhooks": webhooks} if webhooks else job.raw)
        return
    for key, value in job.raw.items():
        if value is not None and value not in ([], {}):
            told = _at(value) if key.endswith("_at") else value
            console.out(f"{key:<17}  {told if isinstance(told, str) else encoder.dumps(told, ensure_ascii=False)}")
    for webhook in webhooks:
        console.out(f"{'webhook':<17}  {webhook['id']} {webhook['type']} {webhook['state']}")
        for attempt in webhook["attempts"]:
            console.out(f"{'':<17}  {_tried(attempt)}")


@app.command()
def replay(
    job_id: JobId,
    webhook_id: Annotated[
        str | None, typer.Argument(metavar="WEBHOOK", help="The webhook's id; else every one that failed.")
    ] = None,
    *,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Send a job's webhooks again, under the same ids.

    Example: framegate jobs replay 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11
    """
    with open_gateway(server, data) as gate:
        known = gate.videos.webhooks(job_id)
        wanted = [webhook_id] if webhook_id else [one["id"] for one in known if one["state"] == "failed"]
        again = [gate.videos.replay_webhook(job_id, one) for one in wanted]
    if json:
        console.out_json({"data": again})
        return
    for webhook in again:
        console.out(f"{webhook['id']} {webhook['type']}")
    if not again:
        console.say("No webhook of this job has failed.")


def watch(
    job_id: JobId,
    *,
    output: Output = None,
    force: Force = False,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Follow a job to its end. Saves its video where -o says.

    Example: framegate watch 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11 -o out.mp4
    """
    if output:
        free_place(output, force=force)
    with open_gateway(server, data) as gate:
        job = gate.videos.get(job_id)
        if output:
            finish(job, output, again=f"framegate watch {job.id} -o {output}", json=json, force=force)
            return
        try:
            if json:
                for event in gate.videos.events(job.id):
                    told = {"job_id": event.job_id, "seq": event.seq, "at": event.at, "status": event.status}
                    console.out_json(told | {"stage": event.stage, "progress": event.progress})
                job.wait()
                return
            with console.progress() as show_event:
                job.wait(on_event=show_event)
        except KeyboardInterrupt:
            console.say(f"\nInterrupted. Job {job.id} is kept.")
            console.hint(f"go on with: framegate watch {job.id}")
            raise typer.Exit(Exit.INTERRUPTED) from None
    console.out(f"{job.id} {job.status}")
    console.hint(f"save the video with: framegate download {job.id}")


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
    with open_gateway(server, data, brief=True) as gate:
        job = gate.videos.get(job_id)
        place = output or Path(default_name(job.prompt, job.id))
        free_place(place, force=force)
        job.save(place, index)
    console.out_json({"id": job.id, "path": str(place)}) if json else console.out(str(place))


def cancel(job_id: JobId, *, json: Json = False, server: Server = None, data: Data = None) -> None:
    """Stop a job.

    Example: framegate cancel 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11
    """
    with open_gateway(server, data, brief=True) as gate:
        job = gate.videos.cancel(job_id)
    console.out_json(job.raw) if json else console.out(f"{job.id} {job.status}")


def _at(seconds: float) -> str:
    """A moment on the clock of this machine."""
    return dt.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _tried(attempt: Mapping[str, Any]) -> str:
    came = attempt.get("error") or f"answered {attempt.get('status')}"
    return f"try {attempt['number']} at {_at(attempt['at'])}: {came} ({attempt['milliseconds']} ms)"


def _row(job: "Job") -> tuple[str, str, str, str, str]:
    created = job.raw.get("created_at")
    when = dt.datetime.fromtimestamp(created).astimezone().strftime("%Y-%m-%d %H:%M") if created else "-"
    prompt = " ".join(job.prompt.split())
    return (job.id, str(job.status), job.model, when, prompt if len(prompt) <= 50 else f"{prompt[:49]}…")
