"""fal's API: queue, direct run, uploads, files and proxy, for fal's own clients."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse

from framegate import __version__
from framegate.api.context import context_of
from framegate.api.dialects.fal import errors, files, queue, run
from framegate.api.dialects.fal.endpoints import Endpoint, endpoints
from framegate.api.dialects.fal.proxy import Proxy
from framegate.api.dialects.fal.webhooks import hook, jwks, seed_of
from framegate.api.http.errors import install
from framegate.api.http.openapi_page import operations_page

PATH = "/fal"
JWKS = "/.well-known/jwks.json"
__all__ = ["JWKS", "PATH", "build", "hook", "public_keys"]


async def public_keys(request: Request) -> JSONResponse:
    """The keys that verify our webhooks, to be kept for a day at most."""
    keys = jwks(seed_of(context_of(request).jobs.secret))
    return JSONResponse(keys, headers={"Cache-Control": "public, max-age=3600"})


def build(*, needs_key: Callable[[], bool]) -> FastAPI:
    """The dialect as an application of its own, to be mounted at `PATH`; `needs_key` is only described here."""
    app = FastAPI(
        title="Framegate for fal's clients",
        version=__version__,
        description=__doc__ or "",
        docs_url=None,
        redoc_url=None,
        routes=[*queue.router.routes, *run.router.routes, *files.router.routes],
        middleware=[Middleware(Proxy)],
    )
    install(app, errors.show)

    def openapi() -> dict[str, Any]:
        """The page of what there is, with every endpoint and its input."""
        if app.openapi_schema is None:
            described = FastAPI.openapi(app)
            for path in [path for path in described["paths"] if "{endpoint_id}" in path]:
                generic = described["paths"].pop(path)["post"]
                for endpoint in endpoints().values():
                    described["paths"][path.replace("{endpoint_id}", endpoint.id)] = {"post": _told(generic, endpoint)}
            schemas = described.setdefault("components", {}).setdefault("schemas", {})
            schemas |= {_name(endpoint): endpoint.schema() for endpoint in endpoints().values()}
        schemes = described_key() if needs_key() else {}
        return {**(app.openapi_schema or {}), **schemes}

    def described_key() -> dict[str, Any]:
        components = dict((app.openapi_schema or {}).get("components", {}))
        key = {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Key KEY`"}
        return {"components": {**components, "securitySchemes": {"key": key}}, "security": [{"key": []}]}

    async def docs() -> HTMLResponse:
        return HTMLResponse(operations_page(openapi()))

    app.openapi = openapi
    app.add_api_route("/docs", docs, include_in_schema=False)
    app.add_route(JWKS, public_keys, include_in_schema=False)
    app.add_route(f"/rest{JWKS}", public_keys, include_in_schema=False)
    return app


def _told(generic: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    """The operation of one endpoint: that of all, with its own input."""
    parameters = [one for one in generic.get("parameters", ()) if one["name"] != "endpoint_id"]
    schema = {"$ref": f"#/components/schemas/{_name(endpoint)}"}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    operation_id = f"{generic['operationId']}_{_name(endpoint)}"
    return {**generic, "parameters": parameters, "requestBody": body, "operationId": operation_id}


def _name(endpoint: Endpoint) -> str:
    return "".join(character if character.isalnum() else "_" for character in endpoint.id)
