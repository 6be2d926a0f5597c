"""OpenRouter's callback at a job's end, and our own routes to look at webhooks and to send one again."""

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
TOLD = ("id", "status", "generation_id", "model", "unsigned_urls", "usage", "error")

router = APIRouter(tags=["webhooks"], responses=ERRORS, generate_unique_id_function=operation_id)
Signer = Annotated[Caller, Depends(callers(key_in, scope=Scope.CREATE))]


class AttemptAnswer(Answer):
    """One try: the receiver's HTTP status, or why there was no answer. `at` is in Unix seconds."""

    number: int
    at: float
    milliseconds: int
    status: int | None = None
    error: str | None = None


class WebhookAnswer(Answer):
    """One event and where its webhook stands; `next_attempt_at` (Unix seconds) while it is waiting."""

    id: str
    type: str
    url: str
    state: DeliveryState
    created_at: float
    next_attempt_at: float | None = None
    attempts: list[AttemptAnswer]
    body: dict[str, Any]


class WebhookList(Answer):
    """A job's webhooks, in the order in which they happened."""

    data: list[WebhookAnswer]


class SecretAnswer(Answer):
    """What verifies the webhooks of the caller's jobs."""

    secret: str


def hook(links: UrlSigner) -> WebhookDialect:
    """OpenRouter's callback: one call, at the end of the job, whatever the end."""

    def body(happening: WebhookEvent) -> dict[str, Any]:
        job = happening.after
        told = job_answer(job, base=job.base_url, links=links).sent()
        at = dt.datetime.fromtimestamp(job.updated_at, dt.UTC).isoformat(timespec="milliseconds")
        data = {name: told[name] for name in TOLD if name in told}
        return {"type": happening.type, "created_at": at.replace("+00:00", "Z"), "data": data}

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


def _headers(sending: DeliveryAttempt) -> dict[str, str]:
    delivery = sending.delivery
    status = delivery.type.removeprefix(TYPE_PREFIX)
    return signature_headers(delivery.job_id, status, sending.at, sending.raw, sending.secret)


@router.get("/videos/{job_id}/webhooks", responses={200: {"model": WebhookList}})
async def list_webhooks(request: Request, owner: Owner, job_id: str) -> Response:
    """What the job had to tell its `callback_url`, and every try to do so."""
    found = await context_of(request).jobs.webhooks(job_id, owner=owner)
    return JSONResponse(WebhookList(data=[webhook_answer(delivery) for delivery in found]).sent())


@router.post("/videos/{job_id}/webhooks/{webhook_id}/replay", responses={200: {"model": WebhookAnswer}})
async def replay_webhook(request: Request, owner: Owner, job_id: str, webhook_id: str) -> Response:
    """Send a webhook again, under the same id; a waiting one is tried now."""
    delivery = await context_of(request).jobs.replay_webhook(job_id, webhook_id, owner=owner)
    return JSONResponse(webhook_answer(delivery).sent())


@router.get("/webhooks/secret", responses={200: {"model": SecretAnswer}})
async def webhook_secret(request: Request, caller: Signer) -> Response:
    """The secret that verifies webhooks, for a key that may create."""
    return JSONResponse(SecretAnswer(secret=context_of(request).jobs.webhook_secret(owner=caller.owner)).sent())


def webhook_answer(delivery: Delivery) -> WebhookAnswer:
    """A webhook as clients see it."""
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
