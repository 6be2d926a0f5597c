"""OpenAPI of a dialect, with the bodies that its routes read by hand, and the API reference made of it."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from framegate import __version__
from framegate.api.context import base_url
from framegate.api.http.errors import NO_SUCH_PATH
from framegate.domain.errors import NotFound

BEARER = {"type": "http", "scheme": "bearer"}
RAW_KEY = {"type": "apiKey", "in": "header", "name": "Authorization"}

FOLDER = Path(__file__).parent / "reference"
FILES = {"reference.js": "text/javascript", "reference.css": "text/css"}
PAGE = """<!doctype html>
<html lang="en" data-openapi="{root}/openapi.json"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="{root}/docs/reference.css"><link rel="icon" href="data:,">
<script type="module" src="{root}/docs/reference.js"></script></head>
<body><a class="skip" href="#operations">Skip to the operations</a>
<header><h1>{title}</h1><p>{description}</p>
<p>For programs: <a href="{root}/openapi.json">openapi.json</a>.</p></header>
<main><table>{rows}</table></main></body></html>
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

    `bodies` are the models of bodies that routes read by hand; `extend` may change the document once. The key is
    required while keys are needed, which may change while the gateway runs.
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
            document["components"]["securitySchemes"] = {"key": dict(key)}
            document["security"] = [{}, {"key": []}]
        document = app.openapi_schema or {}
        if not needs_key():
            return document
        return {**document, "security": [{"key": []}]}

    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(operations_page(openapi(), root=urlsplit(base_url(request)).path))

    async def asset(name: str) -> Response:
        if name not in FILES:
            raise NotFound(f"Not found: {name[:64]}", code=NO_SUCH_PATH)
        return FileResponse(FOLDER / name, media_type=FILES[name], headers={"Cache-Control": "no-cache"})

    app.openapi = openapi
    app.add_api_route("/docs", docs, include_in_schema=False)
    app.add_api_route("/docs/{name}", asset, include_in_schema=False)


def json_body(model: type[BaseModel], example: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the description of a JSON body that a route reads by hand: its `openapi_extra`."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    content = {"schema": schema} | ({"example": dict(example)} if example else {})
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def operations_page(openapi: Mapping[str, Any], *, root: str) -> str:
    """Return an HTML page that lists the operations, and becomes the reference by a script of the gateway's own.

    `root` is the path of the API.
    """
    rows = [
        ROW.format(
            method=method.upper(), path=escape(path), text=escape(operation.get("description") or operation["summary"])
        )
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    ]
    title, description = (escape(openapi["info"][name]) for name in ("title", "description"))
    return PAGE.format(title=title, description=description, root=escape(root), rows="\n".join(rows))
