"""fal's proxy: one address for every call, the real one named in a header. Nothing is ever fetched: it is us."""

from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

TARGET = "x-fal-target-url"
ADDRESS_CHARS_MAX = 8192
# Each host of fal's and what stands for it here.
HOSTS = {
    "fal.run": "/run",
    "falrun.com": "/run",
    "queue.fal.run": "/queue",
    "queue.falrun.com": "/queue",
    "rest.fal.ai": "/rest",
    "rest.alpha.fal.ai": "/rest",
}
REST_PATHS = (
    "/storage/upload/initiate",
    "/storage/upload/initiate-multipart",
    "/storage/upload/complete-multipart",
    "/storage/auth/token",
    "/tokens/",
)
PATH = "/proxy"


class Proxy:
    """Serves `PATH` by the route of the dialect that the target stands for; all other paths as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, to another path where the proxy is asked."""
        root = scope.get("root_path", "")
        if scope["type"] != "http" or scope["path"].removeprefix(root).rstrip("/") != PATH:
            await self.app(scope, receive, send)
            return
        target = next((value.decode("latin-1") for name, value in scope["headers"] if name == TARGET.encode()), "")
        found = destination(target)
        if found is None:
            said = "Invalid request"
            why = f"{said}: `{TARGET}` must name an address of fal's queue, run or upload API."
            await JSONResponse({"detail": said, "message": why}, status_code=400)(scope, receive, send)
            return
        path, query = found
        there = {**scope, "path": f"{root}{path}", "raw_path": f"{root}{path}".encode(), "query_string": query.encode()}
        await self.app(there, receive, send)


def destination(target: str) -> tuple[str, str] | None:
    """The path and query by which this dialect serves an address of fal's; None for any other."""
    try:
        parts = urlsplit(target)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    prefix = HOSTS.get(host)
    if prefix is None or parts.scheme != "https" or port not in (None, 443) or len(target) > ADDRESS_CHARS_MAX:
        return None
    if not parts.path.startswith("/") or (prefix == "/rest" and parts.path not in REST_PATHS):
        return None
    if parts.username or not parts.path.isascii() or ".." in parts.path or not parts.query.isascii():
        return None
    return f"{prefix}{parts.path}", parts.query
