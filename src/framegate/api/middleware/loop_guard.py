"""Refuses requests that this gateway itself sent, before authentication and before a job exists."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from framegate.api.http.errors import Show
from framegate.api.middleware.vendor_hosts import HOSTS
from framegate.domain.errors import GatewayLoop
from framegate.net import loops


class LoopGuard:
    """ASGI middleware: refuses a request whose path leads through this gateway already, or through too many.

    `shows` has the error format of each dialect by the path at which it is mounted; `default` is for other paths.
    """

    def __init__(self, app: ASGIApp, shows: Mapping[str, Show], default: Show) -> None:
        self.app = app
        self._shows = shows
        self._default = default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, or answer with the rejection."""
        error = _loop_of(scope) if scope["type"] == "http" else None
        if error is None:
            await self.app(scope, receive, send)
            return
        own_id = scope["state"]["gateway"].gateway_id
        await self._show_for(scope)(error, {loops.LOOP: own_id})(scope, receive, send)

    def _show_for(self, scope: Scope) -> Show:
        host = HOSTS.get(Headers(scope=scope).get("host", "").lower().partition(":")[0].rstrip("."))
        path: str = scope["path"]
        mounts = (mount for mount in self._shows if path == mount or path.startswith(f"{mount}/"))
        return self._shows.get(next(mounts, ""), self._shows.get(host.mount if host else "", self._default))


def _loop_of(scope: Scope) -> GatewayLoop | None:
    path = loops.parse_path(Headers(scope=scope).get(loops.VIA))
    if not path:
        return None
    if scope["state"]["gateway"].gateway_id in path:
        return GatewayLoop(
            "This gateway sent the request to itself: the address of one of its accounts leads back to it. "
            "Correct `base_url` of the account, or the DNS or hosts file of the gateway's machine."
        )
    if len(path) > loops.HOPS_MAX:
        return GatewayLoop(f"The request came through more than {loops.HOPS_MAX} gateways, the maximum.")
    return None
