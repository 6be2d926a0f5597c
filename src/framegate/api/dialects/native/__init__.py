"""OpenRouter's video API, exactly, and the superset that Framegate adds to it."""

from collections.abc import Callable

from fastapi import FastAPI

from framegate.api.dialects.native import billing, files, jobs, models, operator, webhooks
from framegate.api.dialects.native.errors import show
from framegate.api.dialects.native.files import file_link
from framegate.api.dialects.native.requests import VideoRequest
from framegate.api.dialects.native.webhooks import webhook_dialect
from framegate.api.http import errors
from framegate.api.http.openapi import install_openapi

__all__ = ["PATH", "build", "file_link", "show", "webhook_dialect"]

PATH = "/api/v1"


def build(*, needs_key: Callable[[], bool]) -> FastAPI:
    """Return the dialect as an application to be mounted at `PATH`; `needs_key` only changes its description."""
    app = FastAPI(
        title="Framegate",
        description=__doc__ or "",
        docs_url=None,
        redoc_url=None,
        routes=[
            *models.router.routes,
            *jobs.router.routes,
            *files.router.routes,
            *billing.router.routes,
            *webhooks.router.routes,
            *operator.router.routes,
        ],
    )
    errors.install(app, show)
    install_openapi(app, needs_key=needs_key, bodies=[VideoRequest, *operator.BODIES])
    return app
