"""fal's webhook at a request's end, signed with a key of our own that everybody can look up."""

import hashlib
from collections.abc import Sequence
from typing import Any

from framegate.api.dialects.fal.errors import failure_of
from framegate.api.dialects.fal.jobs import DIALECT
from framegate.api.dialects.fal.responses import endpoint_of, result_answer
from framegate.catalogue import Catalogue
from framegate.domain import Job
from framegate.jobs.webhooks.dialect import DeliveryAttempt, WebhookDialect, WebhookEvent, ended, fal_headers

# Ten tries in two hours, as fal says of its own. Seconds between one try and the next.
SCHEDULE_SECONDS = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3080.0)


def seed_of(secret: bytes) -> bytes:
    """The seed of the key that signs."""
    return hashlib.sha256(b"fal webhooks\n" + secret).digest()


def hook(secret: bytes, catalogue: Catalogue) -> WebhookDialect:
    """fal's webhook: one call, at the end of the request, whatever the end."""

    def body(happening: WebhookEvent) -> dict[str, Any]:
        return webhook_body(happening.after, secret, catalogue)

    def headers(sending: DeliveryAttempt) -> dict[str, str]:
        delivery = sending.delivery
        return fal_headers(delivery.job_id, delivery.owner, sending.at, sending.raw, seed_of(secret))

    return WebhookDialect(
        dialect=DIALECT, events=_events, body=body, headers=headers, schedule_seconds=SCHEDULE_SECONDS
    )


def webhook_body(job: Job, secret: bytes, catalogue: Catalogue) -> dict[str, Any]:
    """What is told: the output, or the error that the result answers."""
    said = {"request_id": job.id, "gateway_request_id": job.id}
    endpoint = endpoint_of(job, catalogue)
    failure = failure_of(job, endpoint)
    if failure is not None:
        wrong = f"Invalid status code: {failure.status}"
        return {**said, "status": "ERROR", "error": wrong, "payload": dict(failure.body)}
    output = result_answer(job, base=job.base_url, secret=secret, endpoint=endpoint)
    return {**said, "status": "OK", "error": None, "payload": output}


def _events(before: Job | None, after: Job) -> Sequence[str]:
    return ("completed",) if ended(before, after) else ()
