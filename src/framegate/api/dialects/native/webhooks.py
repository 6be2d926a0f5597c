"""OpenRouter's webhook at the end of a job, and routes to list webhooks and to replay one."""

import datetime as dt
import hmac
import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from framegate.api.context import Owner, callers, context_of, key_in
from framegate.api.dialects.native.errors import ERRORS, operation_id
from framegate.api.dialects.native.responses import Answer, job_answer
from framegate.api.http.signed_urls import UrlSigner
from framegate.domain import Caller, Delivery, DeliveryState, Job, Scope
from framegate.jobs.webhooks.dialect import DeliveryAttempt, WebhookDialect, WebhookEvent, ended

DIALECT = "native"
TYPE_PREFIX = "video.generation."
JOB_FIELDS = ("id", "status", "generation_id", "model", "unsigned_urls", "usage", "error")

router = APIRouter(tags=["webhooks"], responses=ERRORS, generate_unique_id_function=operation_id)
Signer = Annotated[Caller, Depends(callers(key_in, scope=Scope.CREATE))]


class AttemptAnswer(Answer):
    """Delivery attempt: the receiver's HTTP status, or why there was no response. `at` is in Unix seconds."""

    number: int
    at: float
    milliseconds: int
    status: int | None = None
    error: str | None = None


class WebhookAnswer(Answer):
    """Webhook of one event; `next_attempt_at` (Unix seconds) while it is waiting."""

    id: str
    type: str
    url: str
    state: DeliveryState
    created_at: float
    next_attempt_at: float | None = None
    attempts: list[AttemptAnswer]
    body: dict[str, Any]


class WebhookList(Answer):
    """Webhooks of a job, in the order of their events."""

    data: list[WebhookAnswer]


class SecretAnswer(Answer):
    """Secret that verifies the webhooks of the caller's jobs."""

    secret: str


def webhook_dialect(signer: UrlSigner) -> WebhookDialect:
    """Return OpenRouter's webhook: one call at the end of the job, however it ended."""

    def body(event: WebhookEvent) -> dict[str, Any]:
        job = event.after
        fields = job_answer(job, base=job.base_url, signer=signer.for_key(job.key_id)).sent()
        at = dt.datetime.fromtimestamp(job.updated_at, dt.UTC).isoformat(timespec="milliseconds")
        data = {name: fields[name] for name in JOB_FIELDS if name in fields}
        return {"type": event.type, "created_at": at.replace("+00:00", "Z"), "data": data}

    return WebhookDialect(dialect=DIALECT, events=_events, body=body, headers=_headers)


def signature_headers(job_id: str, status: str, at: int, raw: bytes, secret: str) -> dict[str, str]:
    """Return OpenRouter's signature headers: HMAC-SHA256 with the secret's text over `timestamp,body`, in hex."""
    signature = hmac.digest(secret.encode(), f"{at},".encode() + raw, "sha256").hex()
    return {
        "X-OpenRouter-Signature": f"t={at},v1={signature}",
        "X-OpenRouter-Idempotency-Key": f"{job_id}-{status}",
    }


def _events(before: Job | None, after: Job) -> Sequence[str]:
    return (f"{TYPE_PREFIX}{after.state.status}",) if ended(before, after) else ()


def _headers(attempt: DeliveryAttempt) -> dict[str, str]:
    delivery = attempt.delivery
    status = delivery.type.removeprefix(TYPE_PREFIX)
    return signature_headers(delivery.job_id, status, attempt.at, attempt.raw, attempt.secret)


@router.get("/videos/{job_id}/webhooks", responses={200: {"model": WebhookList}})
async def list_webhooks(request: Request, owner: Owner, job_id: str) -> Response:
    """List the webhooks of a job with every delivery attempt."""
    deliveries = await context_of(request).jobs.webhooks(job_id, owner=owner)
    return JSONResponse(WebhookList(data=[webhook_answer(delivery) for delivery in deliveries]).sent())


@router.post("/videos/{job_id}/webhooks/{webhook_id}/replay", responses={200: {"model": WebhookAnswer}})
async def replay_webhook(request: Request, owner: Owner, job_id: str, webhook_id: str) -> Response:
    """Send a webhook again, with the same id; a waiting one is sent now."""
    delivery = await context_of(request).jobs.replay_webhook(job_id, webhook_id, owner=owner)
    return JSONResponse(webhook_answer(delivery).sent())


@router.get("/webhooks/secret", responses={200: {"model": SecretAnswer}})
async def webhook_secret(request: Request, caller: Signer) -> Response:
    """Get the secret that verifies webhooks; needs a key with the scope `create`."""
    return JSONResponse(SecretAnswer(secret=context_of(request).jobs.webhook_secret(owner=caller.owner)).sent())


def webhook_answer(delivery: Delivery) -> WebhookAnswer:
    """Return the response for a webhook."""
    return WebhookAnswer(
        id=delivery.id,
        type=delivery.type,
        url=delivery.url,
        state=delivery.state,
        created_at=round(delivery.created_at, 3),
        next_attempt_at=round(delivery.due_at, 3) if delivery.state is DeliveryState.WAITING else None,
        attempts=[
            AttemptAnswer(
                number=attempt.number,
                at=round(attempt.at, 3),
                milliseconds=attempt.milliseconds,
                status=attempt.status,
                error=attempt.error,
            )
            for attempt in delivery.log
        ],
        body=json.loads(delivery.body),
    )
