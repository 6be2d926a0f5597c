"""OpenAPI of a dialect, with the bodies that its routes read by hand, and the same as an HTML page."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from framegate import __version__

BEARER = {"type": "http", "scheme": "bearer"}
RAW_KEY = {"type": "apiKey", "in": "header", "name": "Authorization"}

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}}
td{{padding:.3rem 1rem .3rem 0;vertical-align:top}}code{{white-space:nowrap}}</style>
<h1>{title}</h1><p>{description}</p>
<p>For programs: <a href="openapi.json">openapi.json</a>.</p>
<table>{rows}</table></html>
"""
ROW = "<tr><td><code>{method} {path}</code></td><td>{text}</td></tr>"


def install_openapi(
    app: FastAPI,
    *,
    needs_key: Callable[[], bool],
    bodies: Sequence[type[BaseModel]] = (),
    key: Mapping[str, str] = BEARER,
    extend: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Serve `openapi.json` and `docs` of an application.

    `bodies` are the models of bodies that routes read by hand; `extend` may change the document once. The security
    scheme is added while keys are needed, which may change while the gateway runs.
    """
    app.version = __version__

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = FastAPI.openapi(app)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            if bodies:
                template = "#/components/schemas/{model}"
                _, models = models_json_schema([(body, "validation") for body in bodies], ref_template=template)
                schemas.update(models["$defs"])
            if extend is not None:
                extend(document)
        document = app.openapi_schema or {}
        if not needs_key():
            return document
        components = {**document.get("components", {}), "securitySchemes": {"key": dict(key)}}
        return {**document, "components": components, "security": [{"key": []}]}

    async def docs() -> HTMLResponse:
        return HTMLResponse(operations_page(openapi()))

    app.openapi = openapi
    app.add_api_route("/docs", docs, include_in_schema=False)


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the description of a JSON body that a route reads by hand: its `openapi_extra`."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def operations_page(openapi: Mapping[str, Any]) -> str:
    """Return an HTML page that lists the operations; it loads nothing from elsewhere."""
    rows = [
        ROW.format(
            method=method.upper(), path=escape(path), text=escape(operation.get("description") or operation["summary"])
        )
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    ]
    info = openapi["info"]
    return PAGE.format(title=escape(info["title"]), description=escape(info["description"]), rows="\n".join(rows))
