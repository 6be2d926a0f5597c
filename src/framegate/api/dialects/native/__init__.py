"""OpenRouter's video API to the letter, and the superset that Framegate adds to it."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from pydantic.json_schema import models_json_schema

from framegate import __version__
from framegate.api.dialects.native import billing, errors, files, jobs, models, webhooks
from framegate.api.dialects.native.requests import VideoRequest
from framegate.api.dialects.native.webhooks import hook
from framegate.api.http.openapi_page import operations_page

__all__ = ["PATH", "build", "hook"]

PATH = "/api/v1"


def build(*, needs_key: Callable[[], bool]) -> FastAPI:
    """The dialect as an application of its own, to be mounted at `PATH`; `needs_key` is only described here."""
    app = FastAPI(
        title="Framegate",
        version=__version__,
        description=__doc__ or "",
        docs_url=None,
        redoc_url=None,
        routes=[
            *models.router.routes,
            *jobs.router.routes,
            *files.router.routes,
            *billing.router.routes,
            *webhooks.router.routes,
        ],
    )
    errors.install(app)

    def openapi() -> dict[str, Any]:
        """The page of what there is, with the body that is read by hand."""
        if app.openapi_schema is None:
            described = FastAPI.openapi(app)
            template = "#/components/schemas/{model}"
            _, bodies = models_json_schema([(VideoRequest, "validation")], ref_template=template)
            described.setdefault("components", {}).setdefault("schemas", {}).update(bodies["$defs"])
        described = app.openapi_schema or {}
        if needs_key():  # may come to be while the gate runs
            described["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            described["security"] = [{"key": []}]
        return described

    async def docs() -> HTMLResponse:
        return HTMLResponse(operations_page(openapi()))

    app.openapi = openapi
    app.add_api_route("/docs", docs, include_in_schema=False)
    return app
