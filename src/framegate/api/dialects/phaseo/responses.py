"""Responses about a job in Phaseo's form: pure functions of the job and of the base URL of its client."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from framegate.api.dialects.phaseo.billing import billing, usage
from framegate.api.dialects.phaseo.downloads import download_url
from framegate.api.http.signed_urls import UrlSigner
from framegate.domain import Attempt, Delivery, DeliveryState, Job, Output, Problem, State, Status
from framegate.domain.ledger import Entry, entry_of

DIALECT = "phaseo"
POLL_SECONDS = 20
WEBHOOK_ATTEMPTS_MAX = 4
PUBLIC = {Status.PENDING: "queued", Status.IN_PROGRESS: "processing"}
LIFECYCLE = {Status.PENDING: "pending", Status.IN_PROGRESS: "running"}
ATTEMPT_STATES = {
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.WAITING: "scheduled_retry",
    DeliveryState.FAILED: "failed_permanently",
}


def iso(at: float | None) -> str | None:
    """Return a time in Phaseo's format: ISO 8601 in UTC, with milliseconds."""
    if at is None:
        return None
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def public_status(state: State) -> str:
    """Return a job's status as Phaseo names it."""
    return PUBLIC.get(state.status, state.status.value)


def percent(job: Job) -> int:
    """Return the progress of a job, 0 to 100; 0 if it is unknown."""
    return 100 if job.state is State.COMPLETED else round((job.progress or 0) * 100)


def show(
    job: Job,
    *,
    base: str,
    signer: UrlSigner,
    entry: Entry | None = None,
    deliveries: Sequence[Delivery] | None = None,
) -> dict[str, Any]:
    """Return a job in Phaseo's form; `base` is the absolute base URL of the API.

    Without the ledger's `entry` its billing is derived from the job alone.
    """
    url, target = f"{base}/videos/{job.id}", job.target
    entry = entry or entry_of(job)
    access = job.request.dialect_state.get("access", "both")
    body: dict[str, Any] = {
        "id": job.id,
        "video_id": job.id,
        "object": "video",
        "status": public_status(job.state),
        "lifecycle_status": LIFECYCLE.get(job.state.status, job.state.status.value),
        "output_access": access,
        "progress": percent(job),
        "progress_source": "provider" if job.progress is not None or job.state is State.COMPLETED else "none",
        "polling_url": url,
        "websocket_url": websocket_url(base, job.id),
        "poll_after_seconds": POLL_SECONDS,
        "cancel_url": None if job.state.is_final else f"{url}/cancel",
        "generation_id": job.id,
        "native_video_id": None,
        "created_at": iso(job.created_at),
        **_times(job),
        "provider": job.provider or None,
        "model": job.model,
        "seconds": target.duration,
        "size": f"{target.width}x{target.height}",
        "audio": target.audio,
        "asset": _asset(job),
        "outputs": [_output(job, output, url, signer, access) for output in job.outputs],
        "usage": usage(entry),
        "billing": billing(entry, job.estimate.basis if job.estimate else None, ended_at=iso(entry.ended_at)),
    }
    if access != "signed_url":
        body["content_url"] = f"{url}/content"
    if access != "bytes":
        first = job.outputs[0] if job.state is State.COMPLETED and job.outputs else None
        signed = download_url(job, url, signer, index=first.index) if first else None
        body |= signed or {"download_url": None, "expires_at": None}
    if job.fault is not None:
        body |= {"error": job.fault.message, "error_code": job.fault.code}
        body |= {"details": details(job.fault.problems)} if job.fault.problems else {}
    if job.warnings:
        body["warnings"] = details(job.warnings)
    return body | _webhook(job, deliveries)


def _times(job: Job) -> dict[str, str | None]:
    """Return when a job started and ended; Phaseo's description allows no null for a time."""
    times = {"started_at": iso(job.started_at), "completed_at": iso(job.finished_at)}
    return {name: at for name, at in times.items() if at is not None}


def details(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Return problems in Phaseo's form."""
    return [
        {
            "message": problem.message,
            "path": [_part(part) for part in problem.pointer.split("/")[1:]],
            "keyword": problem.code,
            "params": {
                name: value for name, value in asdict(problem).items() if name in ("allowed", "nearest") and value
            },
        }
        for problem in problems
    ]


def _part(part: str) -> str | int:
    return int(part) if part.isascii() and part.isdecimal() else part.replace("~1", "/").replace("~0", "~")


def websocket_url(base: str, job_id: str) -> str:
    """Return the URL of the websocket that reports a job's progress."""
    parts = urlsplit(f"{base}/async/video/{job_id}/ws")
    return urlunsplit(parts._replace(scheme="wss" if parts.scheme == "https" else "ws"))


# -- files


def _asset(job: Job) -> dict[str, Any] | None:
    if job.state is not State.COMPLETED or not job.outputs:
        return None
    output = job.outputs[0]
    return {
        "id": f"ast_{job.id}",
        "mime_type": output.blob.media_type,
        "bytes": output.blob.size_bytes,
        "sha256": output.blob.sha256,
        "width": output.width,
        "height": output.height,
        "duration_seconds": round(output.duration, 3),
    }


def _output(job: Job, output: Output, url: str, signer: UrlSigner, access: str) -> dict[str, Any]:
    body: dict[str, Any] = {"index": output.index, "mime_type": output.blob.media_type, "bytes_available": True}
    if access != "signed_url":
        body["content_url"] = f"{url}/content" + (f"?index={output.index}" if output.index else "")
    return body | (download_url(job, url, signer, index=output.index) if access != "bytes" else {})


# -- webhooks


def _webhook(job: Job, deliveries: Sequence[Delivery] | None) -> dict[str, Any]:
    if not job.request.callback_url:
        return {}
    webhook: dict[str, Any] = {
        "url": job.request.callback_url,
        "events": [f"video.{phase}" for phase in job.request.callback_events],
        "has_secret": True,
    }
    if deliveries is None:
        return {"webhook": webhook}
    attempts = [(delivery, attempt) for delivery in deliveries for attempt in delivery.log]
    retries = [delivery.due_at for delivery in deliveries if delivery.state is DeliveryState.WAITING and delivery.log]
    delivered = [delivery.type for delivery in deliveries if delivery.state is DeliveryState.DELIVERED]
    webhook["delivery"] = {
        "delivered_events": len(delivered),
        "delivered_event_types": list(dict.fromkeys(delivered)),
        "pending_retries": len(retries),
        "total_attempts": len(attempts),
        "next_retry_at": iso(min(retries, default=None)),
    }
    webhook["attempts"] = [_attempt(delivery, attempt) for delivery, attempt in attempts]
    return {"webhook": webhook} | ({"next_webhook_retry_at": iso(min(retries))} if retries else {})


def _attempt(delivery: Delivery, attempt: Attempt) -> Mapping[str, Any]:
    is_last = attempt is delivery.log[-1]
    return {
        "id": f"{delivery.id}:{attempt.number}",
        "delivery_key": delivery.id,
        "event_type": delivery.type,
        "status": ATTEMPT_STATES[delivery.state] if is_last else "scheduled_retry",
        "attempt_number": attempt.number,
        "max_attempts": WEBHOOK_ATTEMPTS_MAX,
        "tried_at": iso(attempt.at),
        "delivered_at": iso(attempt.at) if is_last and delivery.state is DeliveryState.DELIVERED else None,
        "next_retry_at": iso(delivery.due_at) if is_last and delivery.state is DeliveryState.WAITING else None,
        "response_status": attempt.status,
        "error_message": attempt.error,
    }
