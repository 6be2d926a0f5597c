"""fal's proxy: one path for every call, with fal's URL in a header. The gateway serves the call itself.

The URLs of a request then begin with fal's own host: a client that sends its key only there, and whatever it requests
there through the proxy, follows them.
"""

from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

TARGET = "x-fal-target-url"
URL_CHARS_MAX = 8192
PREFIXES = {
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
QUEUE_HOSTS = {"fal.run": "queue.fal.run", "falrun.com": "queue.falrun.com"}
QUEUE_URL = "framegate.fal_queue_url"  # key of the ASGI scope
PATH = "/proxy"


class Proxy:
    """ASGI middleware: serves `PATH` by the route that corresponds to the target URL."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, with the target's path if the proxy is called."""
        root = scope.get("root_path", "")
        if scope["type"] != "http" or scope["path"].removeprefix(root).rstrip("/") != PATH:
            await self.app(scope, receive, send)
            return
        url = next((value.decode("latin-1") for name, value in scope["headers"] if name == TARGET.encode()), "")
        target = local_target(url)
        if target is None:
            detail = "Invalid request"
            message = f"{detail}: `{TARGET}` must be a URL of fal's queue, run or upload API."
            await JSONResponse({"detail": detail, "message": message}, status_code=400)(scope, receive, send)
            return
        path, query = f"{root}{target[0]}".rstrip("/"), target[1]
        host = urlsplit(url).hostname or ""
        scope = {
            **scope,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            QUEUE_URL: f"https://{QUEUE_HOSTS.get(host, host)}",
        }
        await self.app(scope, receive, send)


def local_target(url: str) -> tuple[str, str] | None:
    """Return the path and query of this API for a URL of fal's; None for any other URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    prefix = PREFIXES.get(host)
    if prefix is None or parts.scheme != "https" or port not in (None, 443) or len(url) > URL_CHARS_MAX:
        return None
    if not parts.path.startswith("/") or (prefix == "/rest" and parts.path not in REST_PATHS):
        return None
    if parts.username or not parts.path.isascii() or ".." in parts.path or not parts.query.isascii():
        return None
    return f"{prefix}{parts.path}", parts.query
