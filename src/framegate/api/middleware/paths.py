"""Paths as clients write them: several slashes in a row count as one, and a slash at the end does not count."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

SLASHES = re.compile(r"/{2,}")


class PathNormalizer:
    """Serves a path at its route without a redirect, which could lose the scheme or host behind a proxy."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with the normal path."""
        if scope["type"] in ("http", "websocket"):
            path: str = scope["path"]
            normal = SLASHES.sub("/", path).rstrip("/") or "/"
            if normal != path:
                raw: bytes = scope.get("raw_path") or path.encode()
                raw = SLASHES.sub("/", raw.decode("latin-1")).rstrip("/").encode("latin-1") or b"/"
                scope = {**scope, "path": normal, "raw_path": raw}
        await self.app(scope, receive, send)
