"""Phaseo's video API: its strict body, its flat errors, its signed addresses, its websocket and its webhooks."""

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.routing import APIRoute

from framegate.api.dialects.phaseo import errors, models, websocket
from framegate.api.dialects.phaseo import routes as videos
from framegate.api.dialects.phaseo.requests import DownloadRequest, VideoRequest
from framegate.api.dialects.phaseo.webhooks import hook
from framegate.api.http import errors as failures
from framegate.api.http.openapi import described

__all__ = ["PATH", "build", "hook"]

PATH = "/phaseo/v1"
OLDER = "/video/generations"  # what Phaseo called `/videos` before


def build(*, needs_key: Callable[[], bool]) -> FastAPI:
    """The dialect as an application of its own, to be mounted at `PATH`; `needs_key` is only described here."""
    routes = [*models.router.routes, *videos.router.routes, *websocket.router.routes]
    app = FastAPI(title="Framegate as Phaseo", description=__doc__ or "", docs_url=None, redoc_url=None, routes=routes)
    for route in routes:
        if isinstance(route, APIRoute) and route.path.startswith("/videos"):
            path, methods = OLDER + route.path.removeprefix("/videos"), sorted(route.methods or ())
            app.add_api_route(
                path, route.endpoint, methods=methods, status_code=route.status_code, include_in_schema=False
            )
    failures.install(app, errors.show)
    described(app, bodies=(VideoRequest, DownloadRequest), needs_key=needs_key)
    return app
