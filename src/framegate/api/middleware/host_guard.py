"""Host and Origin checks, against DNS rebinding and requests of foreign web pages."""

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from framegate.api.middleware.vendor_hosts import HOSTS, route_of
from framegate.config.settings import Settings
from framegate.config.web_names import normal_origin

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+?)\.?(:\d{1,5})?", re.ASCII | re.IGNORECASE)
NAMES = frozenset({"localhost"})
HEALTH_PATHS = frozenset({"/healthz", "/readyz"})


class HostGuard:
    """Rejects a Host that is not the gateway's own (421) and an Origin that is not allowed (403).

    A foreign page reaches a server on this machine in two ways: by a cross-origin request, which always has an
    `Origin`, or by a name of its own that is re-bound to this address and then is the `Host`. An IP address as `Host`
    cannot be re-bound, so it passes. A gateway with a key accepts any name, unless `allowed_hosts` is set.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        own = {urlsplit(settings.public_url).hostname or ""} if settings.public_url else set[str]()
        self.hosts = NAMES | own | {settings.host.lower()} | set(settings.allowed_hosts)
        self.any_name = not settings.allowed_hosts
        self.any_host = settings.api_key is not None and self.any_name
        self.origins = allowed_origins(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, or answer with the rejection."""
        rejection = self.rejection(scope) if scope["type"] in ("http", "websocket") else None
        if rejection is None:
            await self.app(scope, receive, send)
        else:
            await rejection(scope, receive, send)

    def rejection(self, scope: Scope) -> JSONResponse | None:
        """Return the response to a request that is rejected; None if it passes."""
        headers = Headers(scope=scope)
        if "host" not in headers and scope["path"] in HEALTH_PATHS:
            return None  # health checks by HTTP/1.0; the answer says nothing that a page could use
        host = headers.get("host", "")
        parsed = HOST.fullmatch(host)
        if parsed is None:
            return _rejected(400, "Missing or malformed Host header.", "bad_host")
        name = parsed[1].lower()
        if not (self.any_host or self._needs_key(scope) or self._own(name) or route_of(scope, self.settings)):
            text = f"Unknown host name: `{name}`. To accept it, add it to `allowed_hosts`."
            return _rejected(421, text, "unknown_host")
        origin = headers.get("origin")
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        if origin is None or (sent := normal_origin(origin)) in self.origins:
            return None
        if sent is not None and sent == normal_origin(f"{scheme}://{host}"):
            return None
        text = f"Origin not allowed: `{origin[:100]}`. To allow it, add it to `allowed_origins`."
        return _rejected(403, text, "foreign_origin")

    def _own(self, name: str) -> bool:
        """Whether it is an own name. Vendors' names never are: a page could re-bind one of them to an open gateway."""
        return (name in self.hosts and name not in HOSTS) or _is_address(name)

    def _needs_key(self, scope: Scope) -> bool:
        """Whether there are keys; the first may be created while the gateway runs."""
        context = scope.get("state", {}).get("gateway")
        return self.any_name and context is not None and context.keys.needs_key


def allowed_origins(settings: Settings) -> frozenset[str]:
    """Return the origins whose pages may call the gateway, besides pages of the address that is called."""
    parts = urlsplit(settings.public_url or "")
    public = normal_origin(f"{parts.scheme}://{parts.netloc}")
    return frozenset(settings.allowed_origins) | ({public} if public else frozenset[str]())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _rejected(status: int, message: str, error_type: str) -> JSONResponse:
    body = {"error": {"code": status, "message": message, "metadata": {"error_type": error_type}}}
    return JSONResponse(body, status_code=status)
