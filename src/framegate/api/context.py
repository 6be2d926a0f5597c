"""What every dialect is handed: the parts of the running gate, who is calling, and under which address."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from framegate.api.auth import Authenticator
from framegate.catalogue import Offer
from framegate.config.settings import Settings
from framegate.domain import Scope
from framegate.jobs.service import JobService

LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """The parts of a running gate. `closing` is set when it begins to stop: whoever waits must end then.

    `orderable` tells whether there is an account or a server that makes what is offered.
    """

    settings: Settings
    jobs: JobService
    keys: Authenticator
    closing: asyncio.Event
    orderable: Callable[[Offer], bool]


def context_of(connection: HTTPConnection) -> ApiContext:
    """The running gate, as the lifespan handed it to every request."""
    return connection.state.gate


def key_in(connection: HTTPConnection, *, scheme: str = "Bearer", header: str = "authorization") -> str | None:
    """The key that a caller sent as `Authorization: Bearer KEY`; as the whole header where `scheme` is empty."""
    sent = connection.headers.get(header, "").strip()
    if not scheme:
        return sent or None
    said, _, key = sent.partition(" ")
    return key.strip() or None if said.lower() == scheme.lower() else None


def owners(
    read: Callable[[HTTPConnection], str | None], *, scope: Scope | None = None
) -> Callable[[HTTPConnection], Awaitable[str]]:
    """A dependency that tells whose jobs a caller may see, for a dialect whose clients put the key where `read` looks.

    Without a `scope`, to look (GET, HEAD) takes `read`, and anything else `create`. It raises `Unauthorized`,
    `Forbidden` and `Busy`, for the dialect to answer in its own shape.
    """

    async def owner(connection: HTTPConnection) -> str:
        looks = connection.scope.get("method", "GET") in LOOKS
        needed = scope or (Scope.READ if looks else Scope.CREATE)
        return (await context_of(connection).keys.authenticate(read(connection), needed)).owner

    return owner


owner_of = owners(key_in)
Owner = Annotated[str, Depends(owner_of)]


def base_url(connection: HTTPConnection) -> str:
    """The absolute address of the dialect that is being spoken, as this client can reach it; no slash at the end."""
    mounted = connection.scope.get("root_path", "").removeprefix(connection.scope.get("app_root_path", ""))
    public = context_of(connection).settings.public_url or f"{connection.url.scheme}://{connection.url.netloc}"
    return public.rstrip("/") + mounted
