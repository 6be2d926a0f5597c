"""Describes a dialect: its OpenAPI with the bodies that are read by hand, and the same as a page."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from framegate import __version__
from framegate.api.http.openapi_page import operations_page

BEARER = {"type": "http", "scheme": "bearer"}
RAW_KEY = {"type": "apiKey", "in": "header", "name": "Authorization"}


def described(
    app: FastAPI,
    *,
    bodies: Sequence[type[BaseModel]],
    needs_key: Callable[[], bool],
    key: dict[str, str] = BEARER,
) -> None:
    """Give the application `openapi.json` and `docs`; whether a key is needed may come to be while the gate runs."""
    app.version = __version__

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = FastAPI.openapi(app)
            template = "#/components/schemas/{model}"
            _, shapes = models_json_schema([(body, "validation") for body in bodies], ref_template=template)
            made.setdefault("components", {}).setdefault("schemas", {}).update(shapes["$defs"])
        told = app.openapi_schema or {}
        if needs_key():
            told["components"]["securitySchemes"] = {"key": key}
            told["security"] = [{"key": []}]
        return told

    async def docs() -> HTMLResponse:
        return HTMLResponse(operations_page(openapi()))

    app.openapi = openapi
    app.add_api_route("/docs", docs, include_in_schema=False)
