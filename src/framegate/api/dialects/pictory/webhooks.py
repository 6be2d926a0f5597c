"""Pictory's webhook at the end of a job. Pictory signs nothing; Standard Webhooks' signature is sent all the same."""

from collections.abc import Sequence
from typing import Any

from framegate.api.dialects.pictory.responses import DIALECT, show
from framegate.api.http.signed_urls import UrlSigner
from framegate.domain import Job
from framegate.jobs.webhooks.dialect import DeliveryAttempt, WebhookDialect, WebhookEvent, ended

EVENT = "job.completed"  # in the headers of Standard Webhooks; Pictory has no event names


def webhook_dialect(signer: UrlSigner) -> WebhookDialect:
    """Return Pictory's webhook: one call at the end of the job, with the body that `GET` of the job returns."""

    def body(event: WebhookEvent) -> dict[str, Any]:
        return show(event.after, base=event.after.base_url, signer=signer.for_key(event.after.key_id))

    return WebhookDialect(dialect=DIALECT, events=_events, body=body, headers=_no_headers)


def _events(before: Job | None, after: Job) -> Sequence[str]:
    return (EVENT,) if ended(before, after) else ()


def _no_headers(_: DeliveryAttempt) -> dict[str, str]:
    return {}
