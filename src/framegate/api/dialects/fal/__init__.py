"""fal-compatible API for fal's own clients: queue, direct run, uploads, files and proxy."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse

from framegate.api.context import context_of
from framegate.api.dialects.fal import errors, files, routes
from framegate.api.dialects.fal.endpoints import Endpoint, endpoints
from framegate.api.dialects.fal.proxy import Proxy
from framegate.api.dialects.fal.responses import file_link
from framegate.api.dialects.fal.uploads import uploaded_blob
from framegate.api.dialects.fal.webhooks import jwks, seed_of, webhook_dialect
from framegate.api.http.errors import install
from framegate.api.http.openapi import install_openapi

PATH = "/fal"
JWKS = "/.well-known/jwks.json"
KEY = {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Key KEY`"}
__all__ = ["JWKS", "PATH", "build", "file_link", "public_keys", "uploaded_blob", "webhook_dialect"]


def build(*, needs_key: Callable[[], bool]) -> FastAPI:
    """Return the API as an application, to be mounted at `PATH`. `needs_key` affects only its OpenAPI document."""
    app = FastAPI(
        title="Framegate: fal-compatible API",
        description=__doc__ or "",
        docs_url=None,
        redoc_url=None,
        routes=[*routes.queue_router.routes, *routes.run_router.routes, *files.router.routes],
        middleware=[Middleware(Proxy)],
    )
    install(app, errors.show)
    install_openapi(app, needs_key=needs_key, key=KEY, extend=_describe_endpoints)
    app.add_route(JWKS, public_keys, include_in_schema=False)
    app.add_route(f"/rest{JWKS}", public_keys, include_in_schema=False)
    return app


async def public_keys(request: Request) -> JSONResponse:
    """Return the public keys that verify webhooks, as a JSON Web Key Set."""
    keys = jwks(seed_of(context_of(request).jobs.secret))
    return JSONResponse(keys, headers={"Cache-Control": "public, max-age=3600"})


def _describe_endpoints(document: dict[str, Any]) -> None:
    """Replace each generic operation by one operation per endpoint, with the schema of its input."""
    paths: dict[str, Any] = document["paths"]
    for path in [path for path in paths if "{endpoint_id}" in path]:
        generic = paths.pop(path)["post"]
        for endpoint in endpoints().values():
            paths[path.replace("{endpoint_id}", endpoint.id)] = {"post": _operation(generic, endpoint)}
    document["components"]["schemas"] |= {
        _schema_name(endpoint): endpoint.schema() for endpoint in endpoints().values()
    }


def _operation(generic: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    name = _schema_name(endpoint)
    body = {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}
    return {
        **generic,
        "parameters": [item for item in generic.get("parameters", ()) if item["name"] != "endpoint_id"],
        "requestBody": body,
        "operationId": f"{generic['operationId']}_{name}",
    }


def _schema_name(endpoint: Endpoint) -> str:
    return "".join(character if character.isalnum() else "_" for character in endpoint.id)
