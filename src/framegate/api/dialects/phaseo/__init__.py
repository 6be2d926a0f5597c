"""Phaseo-compatible video API: strict bodies, flat errors, signed download URLs, websocket and webhooks."""

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.routing import APIRoute

from framegate.api.dialects.phaseo import errors, models, routes, websocket
from framegate.api.dialects.phaseo.requests import DownloadRequest, VideoRequest
from framegate.api.dialects.phaseo.routes import file_link
from framegate.api.dialects.phaseo.webhooks import webhook_dialect
from framegate.api.http.errors import install
from framegate.api.http.openapi import install_openapi

__all__ = ["PATH", "build", "file_link", "webhook_dialect"]

PATH = "/phaseo/v1"
OLD_PREFIX = "/video/generations"  # Phaseo's former name of `/videos`


def build(*, needs_key: Callable[[], bool]) -> FastAPI:
    """Return the API as an application, to be mounted at `PATH`. `needs_key` affects only its OpenAPI document."""
    app = FastAPI(
        title="Framegate: Phaseo-compatible API",
        description=__doc__ or "",
        docs_url=None,
        redoc_url=None,
        routes=[*models.router.routes, *routes.router.routes, *websocket.router.routes],
    )
    for route in (*models.router.routes, *routes.router.routes):
        if isinstance(route, APIRoute) and route.path.startswith("/videos"):
            app.add_api_route(
                OLD_PREFIX + route.path.removeprefix("/videos"),
                route.endpoint,
                methods=sorted(route.methods or ()),
                status_code=route.status_code,
                include_in_schema=False,
            )
    install(app, errors.show)
    install_openapi(app, needs_key=needs_key, bodies=(VideoRequest, DownloadRequest))
    return app
