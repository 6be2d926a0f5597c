"""`rerun` and `resubmit` commands: a new job with the request of an earlier one."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framegate.cli import console
from framegate.cli.connection import Data, JobId, Json, Server, open_gateway
from framegate.cli.console import Exit
from framegate.cli.generate import wait_and_save
from framegate.cli.output_path import check_output_path, check_video_name, default_name
from framegate.domain.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from framegate.client import Job

Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Output file. Default: a name made from the prompt.")
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite an existing file.")]


def rerun(
    job_id: JobId,
    *,
    output: Output = None,
    force: Force = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Print the job id and exit.")] = False,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Run an ended job again, as a new job with the same request. It costs again.

    Example: framegate rerun 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11 -o again.mp4
    """
    if no_wait and (output or force):
        console.fail(f"{'--output' if output else '--force'} cannot be used with --no-wait.", Exit.USAGE)
    if output:
        check_output_path(output, force=force)
        check_video_name(output)
    with open_gateway(server, data, sandbox=False) as client:
        try:
            job = client.videos.rerun(job_id)
        except Conflict as error:
            is_unsure = error.code == "rerun_unsure"
            hint = f"framegate resubmit {job_id}" if is_unsure else f"follow it with: framegate watch {job_id}"
            console.fail(error.message, Exit.FAILED, hint)
        if no_wait:
            console.print_json(job.raw) if json else console.print_data(job.id)
            return
        estimate: Mapping[str, Any] = job.raw.get("estimate") or {}
        if estimate.get("usd"):
            console.print_message(f"Estimate: {console.dollars(estimate['usd'])} for {job.model}")
        wait_and_save(job, output or Path(default_name(job.prompt, job.id)), json=json, force=force)


def resubmit(
    job_id: JobId,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    void_first: Annotated[
        bool, typer.Option("--void-first", help="Release the reservation that the original job holds.")
    ] = False,
    output: Output = None,
    force: Force = False,
    json: Json = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Resubmit a job whose submission outcome is unknown. Shows the job and asks first: it may cost twice.

    Example: framegate resubmit 0198c5d4-7c1e-7f0a-9d6b-6b1f6f0c2a11
    """
    with open_gateway(server, data, sandbox=False) as client:
        job = client.videos.get(job_id)
        bill = client.videos.bill(job_id)
        if not bill["unsure"]:
            hint = f"make its video again with: framegate rerun {job.id}" if job.is_final else ""
            message = f"Job {job.id} is {job.status}, and the outcome of its order is known."
            console.fail(message, Exit.FAILED, *filter(None, [hint]))
        path = output or Path(default_name(job.prompt, job.id))
        check_output_path(path, force=force)
        _show_job(job, bill)
        if not yes:
            _confirm()
        new_job = client.videos.resubmit(job_id, void_first=void_first)
        console.print_message(f"Job {new_job.id} replaces it.")
        wait_and_save(new_job, path, json=json, force=force)


def _show_job(job: "Job", bill: "Mapping[str, Any]") -> None:
    from framegate.domain.ledger import dollars

    console.print_message(f"Job {job.id} is {job.status}: {job.raw.get('error', '')}")
    console.print_message(f"Order: {bill['model']} at {bill['provider']}, created on {bill['day']} (UTC).")
    reserved = bill.get("reserved_micro_usd")
    estimate = "price unknown" if reserved is None else f"estimated at {dollars(reserved)}"
    console.print_message(f"Ledger: {bill['state']}, {estimate}.")


def _confirm() -> None:
    if not sys.stdin.isatty():
        console.fail(
            "Resubmitting may cost twice, and there is no terminal to ask for confirmation.",
            Exit.USAGE,
            "confirm with --yes",
        )
    console.print_message("Check at the provider whether the video was made. Resubmit? It may cost twice. [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        console.print_message("No order was placed.")
        raise typer.Exit(Exit.STOPPED)
