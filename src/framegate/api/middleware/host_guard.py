"""Keeps foreign web pages out of a gate that needs no key: who is called (Host) and from which page (Origin)."""

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from framegate.api.middleware.vendor_hosts import route_of
from framegate.config.settings import Settings

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+?)\.?(:\d{1,5})?", re.ASCII | re.IGNORECASE)
NAMES = frozenset({"localhost"})


class HostGuard:
    """Refuses a Host that is not the gate's own (421) and an Origin that was not allowed (403).

    A page from elsewhere reaches a server on this machine in two ways: it sends a request across origins, which always
    says so in `Origin`, or its own name is re-bound to this address, which then stands in `Host`. An address in `Host`
    cannot be re-bound, so addresses pass. A gate with a key is called by any name, unless names were set.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        own = {urlsplit(settings.public_url).hostname or ""} if settings.public_url else set[str]()
        self.hosts = NAMES | own | {settings.host.lower()} | {host.lower() for host in settings.allowed_hosts}
        self.names_free = not settings.allowed_hosts
        self.any_host = settings.api_key is not None and self.names_free
        public = {_origin(settings.public_url)} if settings.public_url else set[str]()
        self.origins = public | {_origin(origin) for origin in settings.allowed_origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        refusal = self.refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    def refusal(self, scope: Scope) -> JSONResponse | None:
        """The answer to a request that may not pass."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        parsed = HOST.fullmatch(host)
        if parsed is None:
            return _refused(400, "The Host header is missing or malformed.", "bad_host")
        name = parsed[1].lower()
        if not (self.any_host or self._keyed(scope) or self._own(name) or route_of(scope, self.settings)):
            text = f"This gate does not answer to the name `{name}`. Add it to `allowed_hosts` if it should."
            return _refused(421, text, "unknown_host")
        origin = headers.get("origin")
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        if origin is None or _origin(origin) in self.origins | {f"{scheme}://{host.lower()}"}:
            return None
        text = f"Pages of `{origin[:100]}` may not call this gate. Add it to `allowed_origins` if they should."
        return _refused(403, text, "foreign_origin")

    def _own(self, name: str) -> bool:
        return name in self.hosts or _is_address(name)

    def _keyed(self, scope: Scope) -> bool:
        """Whether keys were made with `framegate keys`, which may happen while the gate runs."""
        gate = scope.get("state", {}).get("gateway")
        return self.names_free and gate is not None and gate.keys.needs_key


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}".lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _refused(status: int, message: str, error_type: str) -> JSONResponse:
    body = {"error": {"code": status, "message": message, "metadata": {"error_type": error_type}}}
    return JSONResponse(body, status_code=status)
