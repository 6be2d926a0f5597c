"""The services' own host names: a client that only the DNS sends here finds its dialect at the paths that it knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from framegate.config.settings import Settings


@dataclass(frozen=True, slots=True)
class VendorRoute:
    """Where a service's paths lie at its own host, where they lie here, and where its dialect is mounted."""

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
    """The way of the host that was called; None for any other, where it is switched off, and on an open gate.

    A page whose name was re-bound to this machine gets nothing from an open gate by calling itself one of these.
    """
    gate = scope.get("state", {}).get("gateway")
    if not settings.vendor_hostnames or gate is None or not gate.keys.needs_key:
        return None
    host = Headers(scope=scope).get("host", "").lower()
    return HOSTS.get(host.partition(":")[0].rstrip("."))


class VendorHosts:
    """Puts a service's own paths in front of its dialect; paths of ours, as in the links that we give, stay."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the path as the gate knows it."""
        way = route_of(scope, self.settings) if scope["type"] in ("http", "websocket") else None
        path: str = scope.get("path", "")
        if way is not None and not _below(path, way.mount) and _below(path, way.outer):
            inner = way.inner.encode()
            raw: bytes = scope.get("raw_path") or path.encode()
            scope = {
                **scope,
                "path": way.inner + path.removeprefix(way.outer),
                "raw_path": inner + raw.removeprefix(way.outer.encode()),
            }
        await self.app(scope, receive, send)


def _below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")
