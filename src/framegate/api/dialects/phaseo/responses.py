"""What Phaseo's clients are told of a job. A pure function of the job and of where it is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from framegate.api.dialects.phaseo.billing import billing, usage
from framegate.api.dialects.phaseo.signed import download_url
from framegate.api.dialects.phaseo.times import iso
from framegate.api.http.signed_urls import UrlSigner
from framegate.domain import Attempt, Delivery, DeliveryState, Job, Output, Problem, State, Status
from framegate.domain.ledger import Entry, entry_of

DIALECT = "phaseo"
POLL_SECONDS = 20
PUBLIC = {Status.PENDING: "queued", Status.IN_PROGRESS: "processing"}
LIFECYCLE = {Status.PENDING: "pending", Status.IN_PROGRESS: "running"}
TRY_STATES = {
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.WAITING: "scheduled_retry",
    DeliveryState.FAILED: "failed_permanently",
}


def public_status(state: State) -> str:
    """A job's status in Phaseo's words."""
    return PUBLIC.get(state.status, state.status.value)


def percent(job: Job) -> int:
    """How far a job is, 0 to 100; 0 where nobody tells."""
    return 100 if job.state is State.COMPLETED else round((job.progress or 0) * 100)


def show(
    job: Job,
    *,
    base: str,
    links: UrlSigner,
    entry: Entry | None = None,
    deliveries: Sequence[Delivery] | None = None,
) -> dict[str, Any]:
    """A job as its client sees it; `base` is the dialect's own absolute address.

    Without the ledger's `entry` its money is as the job alone tells it.
    """
    here, target = f"{base}/videos/{job.id}", job.target
    entry = entry or entry_of(job)
    access = job.request.dialect_state.get("access", "both")
    told: dict[str, Any] = {
        "id": job.id,
        "object": "video",
        "status": public_status(job.state),
        "lifecycle_status": LIFECYCLE.get(job.state.status, job.state.status.value),
        "output_access": access,
        "progress": percent(job),
        "progress_source": "provider" if job.progress is not None or job.state is State.COMPLETED else "none",
        "polling_url": here,
        "websocket_url": websocket_url(base, job.id),
        "poll_after_seconds": POLL_SECONDS,
        "cancel_url": None if job.state.is_final else f"{here}/cancel",
        "generation_id": job.id,
        "native_video_id": None,
        "created_at": iso(job.created_at),
        "started_at": iso(job.started_at),
        "completed_at": iso(job.finished_at),
        "provider": job.provider or None,
        "model": job.model,
        "seconds": target.duration,
        "size": f"{target.width}x{target.height}",
        "audio": target.audio,
        "asset": _asset(job),
        "outputs": [_output(job, output, here, links, access) for output in job.outputs],
        "usage": usage(entry),
        "billing": billing(entry, job.estimate.basis if job.estimate else None),
    }
    if access != "signed_url":
        told["content_url"] = f"{here}/content"
    if access != "bytes":
        first = job.outputs[0] if job.state is State.COMPLETED and job.outputs else None
        signed = download_url(job, here, links, index=first.index) if first else None
        told |= signed or {"download_url": None, "expires_at": None}
    if job.fault is not None:
        told |= {"error": job.fault.message, "error_code": job.fault.code}
        told |= {"details": details(job.fault.problems)} if job.fault.problems else {}
    if job.warnings:
        told["warnings"] = details(job.warnings)
    return told | _webhook(job, deliveries)


def details(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Problems as Phaseo lists what is wrong with a request."""
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
    """Where the job's progress is reported over a websocket."""
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


def _output(job: Job, output: Output, here: str, links: UrlSigner, access: str) -> dict[str, Any]:
    told: dict[str, Any] = {"index": output.index, "mime_type": output.blob.media_type, "bytes_available": True}
    if access != "signed_url":
        told["content_url"] = f"{here}/content" + (f"?index={output.index}" if output.index else "")
    return told | (download_url(job, here, links, index=output.index) if access != "bytes" else {})


# -- webhooks


def _webhook(job: Job, deliveries: Sequence[Delivery] | None) -> dict[str, Any]:
    if not job.request.callback_url:
        return {}
    told: dict[str, Any] = {
        "url": job.request.callback_url,
        "events": [f"video.{phase}" for phase in job.request.callback_events],
        "has_secret": True,
    }
    if deliveries is None:
        return {"webhook": told}
    tries = [(delivery, attempt) for delivery in deliveries for attempt in delivery.log]
    waiting = [delivery.due_at for delivery in deliveries if delivery.state is DeliveryState.WAITING and delivery.log]
    delivered = [delivery.type for delivery in deliveries if delivery.state is DeliveryState.DELIVERED]
    told["delivery"] = {
        "delivered_events": len(delivered),
        "delivered_event_types": list(dict.fromkeys(delivered)),
        "pending_retries": len(waiting),
        "total_attempts": len(tries),
        "next_retry_at": iso(min(waiting, default=None)),
    }
    told["attempts"] = [_try(delivery, attempt) for delivery, attempt in tries]
    return {"webhook": told} | ({"next_webhook_retry_at": iso(min(waiting))} if waiting else {})


def _try(delivery: Delivery, attempt: Attempt) -> Mapping[str, Any]:
    last = attempt is delivery.log[-1]
    return {
        "id": f"{delivery.id}:{attempt.number}",
        "delivery_key": delivery.id,
        "event_type": delivery.type,
        "status": TRY_STATES[delivery.state] if last else "scheduled_retry",
        "attempt_number": attempt.number,
        "max_attempts": 4,
        "tried_at": iso(attempt.at),
        "delivered_at": iso(attempt.at) if last and delivery.state is DeliveryState.DELIVERED else None,
        "next_retry_at": iso(delivery.due_at) if last and delivery.state is DeliveryState.WAITING else None,
        "response_status": attempt.status,
        "error_message": attempt.error,
    }
