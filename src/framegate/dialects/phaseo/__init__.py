"""Phaseo's video API: its strict body, its flat errors, its signed addresses, its websocket and its webhooks."""

from collections.abc import Callable

from fastapi import FastAPI

from framegate.dialects import failures
from framegate.dialects.pages import described
from framegate.dialects.phaseo import errors, live, models, videos
from framegate.dialects.phaseo.events import hook
from framegate.dialects.phaseo.requests import DownloadRequest, VideoRequest

__all__ = ["PATH", "build", "hook"]

PATH = "/phaseo/v1"
PREFIXES = ("/videos", "/video/generations")  # the second is Phaseo's older name for the first


def build(*, needs_key: Callable[[], bool]) -> FastAPI:
    """The dialect as an application of its own, to be mounted at `PATH`; `needs_key` is only described here."""
    app = FastAPI(title="Framegate as Phaseo", description=__doc__ or "", docs_url=None, redoc_url=None)
    for prefix in PREFIXES:
        shown = prefix == PREFIXES[0]
        app.include_router(models.router, prefix=f"{prefix}/models", include_in_schema=shown)
        app.include_router(videos.router, prefix=prefix, include_in_schema=shown)
    app.add_api_route("/data/models", models.look_up, tags=["models"])
    app.include_router(live.router)
    failures.install(app, errors.show)
    described(app, bodies=(VideoRequest, DownloadRequest), needs_key=needs_key)
    return app
