"""What every dialect is handed: the parts of the running gate, who is calling, and under which address."""

import asyncio
import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from framegate.errors import Unauthorized
from framegate.jobs import Jobs
from framegate.settings import Settings

OWNER = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The parts of a running gate. `closing` is set when it begins to stop: whoever waits must end then."""

    settings: Settings
    jobs: Jobs
    closing: asyncio.Event


def gate_of(connection: HTTPConnection) -> Gate:
    """The running gate, as the lifespan handed it to every request."""
    return connection.state.gate


def has_key(connection: HTTPConnection) -> bool:
    """Whether the caller sent the key, or none is needed."""
    key = gate_of(connection).settings.api_key
    if key is None:
        return True
    scheme, _, sent = connection.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(sent.strip().encode(), key.encode())


def owner_of(connection: HTTPConnection) -> str:
    """Whose jobs the caller may see. Raises `Unauthorized`."""
    if not has_key(connection):
        raise Unauthorized
    return OWNER


Owner = Annotated[str, Depends(owner_of)]


def base_url(connection: HTTPConnection) -> str:
    """The absolute address of the dialect that is being spoken, as this client can reach it; no slash at the end."""
    mounted = connection.scope.get("root_path", "").removeprefix(connection.scope.get("app_root_path", ""))
    public = gate_of(connection).settings.public_url or f"{connection.url.scheme}://{connection.url.netloc}"
    return public.rstrip("/") + mounted
