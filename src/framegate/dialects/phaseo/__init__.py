"""Phaseo's video API: its strict body, its flat errors, its signed addresses, its websocket and its webhooks."""

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.routing import APIRoute

from framegate.dialects import failures
from framegate.dialects.pages import described
from framegate.dialects.phaseo import errors, live, models, videos
from framegate.dialects.phaseo.events import hook
from framegate.dialects.phaseo.requests import DownloadRequest, VideoRequest

__all__ = ["PATH", "build", "hook"]

PATH = "/phaseo/v1"
OLDER = "/video/generations"  # what Phaseo called `/videos` before


def build(*, needs_key: Callable[[], bool]) -> FastAPI:
    """The dialect as an application of its own, to be mounted at `PATH`; `needs_key` is only described here."""
    routes = [*models.router.routes, *videos.router.routes, *live.router.routes]
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
