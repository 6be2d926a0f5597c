"""Pictory-compatible AI Studio API: videos from a prompt, reference images, a first frame, or a video to extend."""

from collections.abc import Callable

from fastapi import FastAPI

from framegate.api.dialects.pictory import errors, routes
from framegate.api.dialects.pictory.requests import TokenRequest, VideoRequest
from framegate.api.dialects.pictory.routes import file_link
from framegate.api.dialects.pictory.webhooks import webhook_dialect
from framegate.api.http.errors import install
from framegate.api.http.openapi import RAW_KEY, install_openapi

__all__ = ["PATH", "build", "file_link", "webhook_dialect"]

PATH = "/pictory"


def build(*, needs_key: Callable[[], bool]) -> FastAPI:
    """Return the API as an application, to be mounted at `PATH`. `needs_key` affects only its OpenAPI document."""
    app = FastAPI(
        title="Framegate: Pictory-compatible API",
        description=__doc__ or "",
        docs_url=None,
        redoc_url=None,
        routes=routes.router.routes,
    )
    install(app, errors.show)
    install_openapi(app, needs_key=needs_key, bodies=(VideoRequest, TokenRequest), key=RAW_KEY)
    return app
