"""Pictory's AI Studio: videos from a prompt, reference images, a first frame or a video to go on from."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI

from framegate.api.dialects.pictory import errors, routes
from framegate.api.dialects.pictory.requests import TokenRequest, VideoRequest
from framegate.api.dialects.pictory.responses import DIALECT, show
from framegate.api.http import errors as failures
from framegate.api.http.openapi import RAW_KEY, described
from framegate.api.http.signed_urls import UrlSigner
from framegate.domain import Job
from framegate.jobs.webhooks.dialect import DeliveryAttempt, WebhookDialect, WebhookEvent, ended

__all__ = ["PATH", "build", "hook"]

PATH = "/pictory"
EVENT = "job.completed"  # in the headers of Standard Webhooks; Pictory itself names none


def build(*, needs_key: Callable[[], bool]) -> FastAPI:
    """The dialect as an application of its own, to be mounted at `PATH`; `needs_key` is only described here."""
    app = FastAPI(
        title="Framegate as Pictory",
        description=__doc__ or "",
        docs_url=None,
        redoc_url=None,
        routes=routes.router.routes,
    )
    failures.install(app, errors.show)
    described(app, bodies=(VideoRequest, TokenRequest), needs_key=needs_key, key=RAW_KEY)
    return app


def hook(links: UrlSigner) -> WebhookDialect:
    """Pictory's call: one, at the job's end, with the body that the job itself answers. Pictory signs nothing."""

    def body(happening: WebhookEvent) -> dict[str, Any]:
        return show(happening.after, base=happening.after.base_url, links=links)

    return WebhookDialect(dialect=DIALECT, events=_events, body=body, headers=_unsigned)


def _events(before: Job | None, after: Job) -> Sequence[str]:
    return (EVENT,) if ended(before, after) else ()


def _unsigned(_: DeliveryAttempt) -> dict[str, str]:
    return {}
