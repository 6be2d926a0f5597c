"""Who is calling: the key as fal's clients send it, or a token of ours that stands for it for a while."""

import base64
import hashlib
import hmac
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from framegate.api.context import callers, context_of, key_in
from framegate.domain import Caller, Scope
from framegate.domain.errors import Unauthorized

TOKEN_PREFIX = "fgt."  # noqa: S105 - how a token is told from a key
TOKEN_SECONDS = 3600
TOKEN_SECONDS_MAX = 24 * 3600


def sent_key(connection: HTTPConnection) -> str | None:
    """The key in `Authorization: Key …`, `Authorization: Bearer …`, or as the whole header."""
    sent = (
        key_in(connection, scheme="Key") or key_in(connection, scheme="Bearer") or key_in(connection, scheme="") or ""
    )
    return sent or None


by_key = callers(sent_key)


def sent_token(connection: HTTPConnection) -> str | None:
    """The token in `fal_jwt_token` or in the place of a key."""
    sent = connection.query_params.get("fal_jwt_token") or sent_key(connection) or ""
    return sent if sent.startswith(TOKEN_PREFIX) else None


async def caller_of(connection: HTTPConnection) -> Caller:
    """Authenticate the caller by key or by token. Raises `Unauthorized`, `Forbidden`, `Busy`."""
    token = sent_token(connection)
    if token is None:
        return await by_key(connection)
    context = context_of(connection)
    caller = token_caller(token, context.jobs.secret, now=context.machine.now())
    if caller is None:
        raise Unauthorized("Invalid or expired token. Request a new one.")
    return caller


CallerDependency = Annotated[Caller, Depends(caller_of)]
KeyCaller = Annotated[Caller, Depends(by_key)]  # a token makes no further tokens


async def _owner(caller: CallerDependency) -> str:
    return caller.owner


Owner = Annotated[str, Depends(_owner)]


async def owner_of(connection: HTTPConnection) -> str:
    """Return the tenant of the caller. Raises what `caller_of` says."""
    return (await caller_of(connection)).owner


def new_token(caller: Caller, secret: bytes, *, now: float, seconds: int = TOKEN_SECONDS) -> tuple[str, int]:
    """Return a token that stands for the caller's key, and when it expires, in Unix seconds."""
    expires = int(now) + min(seconds, TOKEN_SECONDS_MAX)
    payload = f"{expires}\n{caller.owner}\n{caller.key_id or ''}"
    encoded = base64.urlsafe_b64encode(payload.encode()).rstrip(b"=").decode()
    return f"{TOKEN_PREFIX}{encoded}.{_signature(encoded, secret)}", expires


def token_caller(token: str, secret: bytes, *, now: float) -> Caller | None:
    """Return the caller that a token stands for, if the token is genuine and has not expired."""
    encoded, _, signature = token.removeprefix(TOKEN_PREFIX).rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(encoded, secret).encode()):
        return None
    payload = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    expires, owner, key_id = payload.split("\n")
    scopes = frozenset({Scope.CREATE, Scope.READ})
    return Caller(owner=owner, scopes=scopes, key_id=key_id or None) if int(expires) > now else None


def _signature(encoded: str, secret: bytes) -> str:
    return hmac.new(secret, f"fal token 2\n{encoded}".encode(), hashlib.sha256).hexdigest()
