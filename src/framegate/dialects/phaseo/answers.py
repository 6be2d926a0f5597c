"""What Phaseo's clients are told of a job. A pure function of the job and of where it is shown."""

import base64
import datetime as dt
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from framegate.dialects.links import Links
from framegate.types import Attempt, Delivery, DeliveryState, Job, Output, Problem, State, Status

DIALECT = "phaseo"
POLL_SECONDS = 20
TTL_SECONDS = (60, 900, 3600)  # least, usual, most
NANOS_IN_MICRO = 1000
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


def show(job: Job, *, base: str, links: Links, deliveries: Sequence[Delivery] | None = None) -> dict[str, Any]:
    """A job as its client sees it; `base` is the dialect's own absolute address."""
    here, target = f"{base}/videos/{job.id}", job.target
    access = job.request.notes.get("access", "both")
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
        "cancel_url": None if job.state.final else f"{here}/cancel",
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
        "usage": _usage(job),
        "billing": billing(job),
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


def iso(at: float | None) -> str | None:
    """A time as Phaseo writes it."""
    if at is None:
        return None
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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


def _output(job: Job, output: Output, here: str, links: Links, access: str) -> dict[str, Any]:
    told: dict[str, Any] = {"index": output.index, "mime_type": output.blob.media_type, "bytes_available": True}
    if access != "signed_url":
        told["content_url"] = f"{here}/content" + (f"?index={output.index}" if output.index else "")
    return told | (download_url(job, here, links, index=output.index) if access != "bytes" else {})


def download_url(
    job: Job, here: str, links: Links, *, index: int, seconds: int | None = None, disposition: str = "attachment"
) -> dict[str, Any]:
    """An address that needs no key for so many seconds, in Phaseo's form: a token, its signature, its end.

    As Phaseo does, a life below 60 or above 3,600 seconds is taken for the nearest of the two.
    """
    least, usual, most = TTL_SECONDS
    expires_at = int(links.clock()) + max(least, min(most, usual if seconds is None else seconds))
    claims = {"workspace_id": job.owner, "video_id": job.id, "index": index, "disposition": disposition}
    token = base64.urlsafe_b64encode(json.dumps(claims, separators=(",", ":")).encode()).rstrip(b"=").decode()
    query: dict[str, Any] = {"index": index} if index else {}
    query |= {"download_token": token, "download_sig": _signature(links, token, expires_at), "expires_at": expires_at}
    return {"download_url": f"{here}/content?{urlencode(query)}", "expires_at": expires_at}


def claims_of(
    links: Links, *, token: str | None, signature: str | None, expires_at: str | None
) -> dict[str, Any] | None:
    """What a signed address permits; None where it is not ours or has expired."""
    if not (token and signature and expires_at and expires_at.isascii() and expires_at.isdecimal()):
        return None
    if len(expires_at) > 12 or links.clock() > int(expires_at):
        return None
    if not hmac.compare_digest(signature.encode(), _signature(links, token, int(expires_at)).encode()):
        return None
    return json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))


def _signature(links: Links, token: str, expires_at: int) -> str:
    secret = hmac.digest(links.secret, b"framegate phaseo downloads", "sha256")
    return hmac.digest(secret, f"{token}.{expires_at}".encode(), "sha256").hex()


# -- money


def _usage(job: Job) -> dict[str, Any]:
    """What the job cost, left out while nobody knows; the caller brings no key of a provider."""
    settled = _settled(job)
    cost = {} if settled is None else {"cost": settled / 1_000_000, "cost_usd": settled / 1_000_000}
    return {**cost, "is_byok": False}


def _settled(job: Job) -> int | None:
    """Millionths of a US dollar that the job has cost; None while that is open."""
    if job.state is State.COMPLETED:
        return job.cost_micro_usd
    return 0 if job.state.final and not (job.fault and job.fault.unsure) else None


def billing(job: Job) -> dict[str, Any]:
    """The money of a job: `pending` while a cost is unknown, `estimated` before the end, then `settled` or `void`.

    A job whose order may have been taken without our knowing stays `pending`: nobody can say that it cost nothing.
    """
    settled, estimate = _settled(job), job.estimate.micro_usd if job.estimate else None
    if settled is None:
        state = "estimated" if estimate is not None and not job.state.final else "pending"
    else:
        state = "settled" if job.state is State.COMPLETED else "void"
    charged = None if settled is None else settled > 0
    told: dict[str, Any] = {
        "currency": "usd",
        "estimated_provider_cost": _usd(estimate),
        "estimated_user_cost": _usd(estimate),
        "settled_provider_cost": _usd(settled),
        "settled_user_cost": _usd(settled),
        "state": state,
        "billable": bool(charged),
        "total_nanos": None if settled is None else settled * NANOS_IN_MICRO,
        "estimated_nanos": None if estimate is None else estimate * NANOS_IN_MICRO,
        "reserved_nanos": None,
        "reservation_id": None,
        "reservation_status": None,
        "charge_reason": job.estimate.basis if job.estimate else None,
        "charged": charged,
    }
    return told | ({"billed_at": iso(job.finished_at)} if state == "settled" else {})


def _usd(micro: int | None) -> str | None:
    """Dollars with two decimals, or as many as there are."""
    if micro is None:
        return None
    exact = (Decimal(micro) / 1_000_000).normalize()
    return f"{exact:f}" if int(exact.as_tuple().exponent) < -2 else f"{exact:.2f}"


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
