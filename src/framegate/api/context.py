"""Context of a request: the parts of the gateway, the caller, and the base URL."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from framegate.api.auth import Authenticator
from framegate.api.http.signed_urls import FileLink, UrlSigner
from framegate.catalogue import Offer
from framegate.config.settings import Settings
from framegate.domain import Caller, Output, Scope
from framegate.domain.errors import PrivateFile, Unauthorized
from framegate.domain.machine import Machine
from framegate.jobs.deduplication import RequestContext
from framegate.jobs.operator import Operator
from framegate.jobs.service import JobService
from framegate.net import loops

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REQUEST_CONTEXT = "framegate.request_context"  # key of the ASGI scope
CALLER = "framegate.caller"  # the same


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """Parts of a running gateway that dialects use.

    `closing` is set when the gateway begins to stop: open streams must end then. `orderable` says whether a configured
    account or server makes an offer.
    """

    settings: Settings
    jobs: JobService
    operator: Operator
    keys: Authenticator
    machine: Machine
    closing: asyncio.Event
    url_signer: UrlSigner
    gateway_id: str
    orderable: Callable[[Offer], bool]


def context_of(connection: HTTPConnection) -> ApiContext:
    """Return the parts of the running gateway, from the state that the lifespan yields."""
    return connection.state.gateway


def key_in(connection: HTTPConnection, *, scheme: str = "Bearer", header: str = "authorization") -> str | None:
    """Return the key sent as `Authorization: Bearer KEY`; the whole header if `scheme` is empty."""
    sent = connection.headers.get(header, "").strip()
    if not scheme:
        return sent or None
    said, _, key = sent.partition(" ")
    return key.strip() or None if said.lower() == scheme.lower() else None


def scope_needed(connection: HTTPConnection) -> Scope:
    """Return the scope that a request needs by its method: `read` for GET and HEAD, `create` for everything else."""
    return Scope.READ if connection.scope.get("method", "GET") in READING_METHODS else Scope.CREATE


async def authenticate(connection: HTTPConnection, key: str | None, scope: Scope) -> Caller:
    """Return the caller that a key stands for, with the path of the request.

    Every API authenticates here. Raises `Unauthorized`, `Forbidden` and `Busy`.
    """
    return remember(connection, await context_of(connection).keys.authenticate(key, scope))


def remember(connection: HTTPConnection, caller: Caller) -> Caller:
    """Return the caller with the path of the request, and keep it for signed URLs and later checks of its key."""
    path = loops.parse_path(connection.headers.get(loops.VIA))
    caller = replace(caller, via=path) if path else caller
    connection.scope[CALLER] = caller
    return caller


def url_signer_of(connection: HTTPConnection) -> UrlSigner:
    """Return the signer of URLs for the caller of an authenticated request: they end with its key."""
    caller: Caller = connection.scope[CALLER]
    return context_of(connection).url_signer.for_key(caller.key_id)


async def check_access(connection: HTTPConnection) -> None:
    """Raise `Unauthorized` if the key of an authenticated request was revoked or has expired since."""
    await context_of(connection).keys.check(connection.scope[CALLER])


async def ended_access(connection: HTTPConnection) -> Unauthorized | None:
    """Return the error of `check_access`, for streams that end with it."""
    try:
        await check_access(connection)
    except Unauthorized as error:
        return error
    return None


async def readable_output(
    connection: HTTPConnection, link: FileLink, owner_of: Callable[[HTTPConnection], Awaitable[str]]
) -> Output:
    """Return the output of a URL that its caller may read: by a signature whose key is valid, else as its owner.

    Every API reads outputs here. Raises what `owner_of`, `JobService.output` and `JobService.linked_output` raise.
    """
    context = context_of(connection)
    if link.credential is None or not await context.keys.is_valid(link.credential):
        return await context.jobs.output(link.job_id, owner=await owner_of(connection), index=link.index)
    try:
        return await context.jobs.linked_output(link.job_id, index=link.index)
    except PrivateFile as error:
        try:
            owner = await owner_of(connection)
        except Unauthorized:
            raise error from None
        return await context.jobs.output(link.job_id, owner=owner, index=link.index)


def callers(
    read: Callable[[HTTPConnection], str | None], *, scope: Scope | None = None
) -> Callable[[HTTPConnection], Awaitable[Caller]]:
    """Return a dependency that authenticates the caller, for a dialect whose clients put the key where `read` looks.

    Without a `scope`, GET and HEAD need `read`, everything else `create`. It raises `Unauthorized`, `Forbidden` and
    `Busy`, which the dialect answers in its own shape.
    """

    async def caller(connection: HTTPConnection) -> Caller:
        return await authenticate(connection, read(connection), scope or scope_needed(connection))

    return caller


caller_of = callers(key_in)
CallerDependency = Annotated[Caller, Depends(caller_of)]


async def _owner(caller: CallerDependency) -> str:
    return caller.owner


Owner = Annotated[str, Depends(_owner)]


async def owner_of(connection: HTTPConnection) -> str:
    """Return the tenant of the caller. Raises what `callers` says."""
    return (await caller_of(connection)).owner


def request_context_of(connection: HTTPConnection) -> RequestContext | None:
    """Return the request as create deduplication sees it, from the middleware `ClientDisconnect`; else None."""
    return connection.scope.get(REQUEST_CONTEXT)


def base_url(connection: HTTPConnection) -> str:
    """Return the absolute base URL of the dialect as this client reaches it, without a slash at the end."""
    mounted = connection.scope.get("root_path", "").removeprefix(connection.scope.get("app_root_path", ""))
    scheme = {"ws": "http", "wss": "https"}.get(connection.url.scheme, connection.url.scheme)
    public = context_of(connection).settings.public_url or f"{scheme}://{connection.url.netloc}"
    return public.rstrip("/") + mounted
