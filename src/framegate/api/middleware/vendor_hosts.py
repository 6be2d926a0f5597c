"""Vendor host names: clients that are redirected by DNS alone find their dialect at the vendor's own paths."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from framegate.config.settings import Settings


@dataclass(frozen=True, slots=True)
class VendorRoute:
    """Path prefix at the vendor's host, prefix at the gateway, and mount point of the dialect."""

    outer: str
    inner: str
    mount: str


NATIVE = VendorRoute("/api/v1", "/api/v1", "/api/v1")
PHASEO = VendorRoute("/v1", "/phaseo/v1", "/phaseo/v1")
PICTORY = VendorRoute("/pictoryapis", "/pictory", "/pictory")
HOSTS: Mapping[str, VendorRoute] = MappingProxyType(
    {
        "openrouter.ai": NATIVE,
        "modelgates.ai": NATIVE,
        "api.phaseo.app": PHASEO,
        "eu.api.phaseo.app": PHASEO,
        "us.api.phaseo.app": PHASEO,
        "api.pictory.ai": PICTORY,
        "queue.fal.run": VendorRoute("", "/fal/queue", "/fal"),
        "fal.run": VendorRoute("", "/fal/run", "/fal"),
        "rest.fal.ai": VendorRoute("", "/fal/rest", "/fal"),
        "rest.alpha.fal.ai": VendorRoute("", "/fal/rest", "/fal"),
        "v3.fal.media": VendorRoute("", "/fal/cdn", "/fal"),
    }
)


def route_of(scope: Scope, settings: Settings) -> VendorRoute | None:
    """Return the route of a request's host; None for other hosts, if disabled, and on an open gateway.

    An open gateway ignores vendor names, so that a page cannot pass the host check by re-binding one of them.
    """
    context = scope.get("state", {}).get("gateway")
    if not settings.vendor_hostnames or context is None or not context.keys.needs_key:
        return None
    host = Headers(scope=scope).get("host", "").lower()
    return HOSTS.get(host.partition(":")[0].rstrip("."))


class VendorHosts:
    """Maps the paths of a vendor's host to its dialect; the gateway's own paths, as in signed URLs, are unchanged."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with the gateway's path."""
        route = route_of(scope, self.settings) if scope["type"] in ("http", "websocket") else None
        path: str = scope.get("path", "")
        if route is not None and not _below(path, route.mount) and _below(path, route.outer):
            inner = route.inner.encode()
            raw: bytes = scope.get("raw_path") or path.encode()
            scope = {
                **scope,
                "path": route.inner + path.removeprefix(route.outer),
                "raw_path": inner + raw.removeprefix(route.outer.encode()),
            }
        await self.app(scope, receive, send)


def _below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")
