"""Who is calling: the key as fal's clients send it, or a token of ours that stands for it for a while."""

import base64
import hashlib
import hmac
import time
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from framegate.api.auth import Caller, call_as, calling
from framegate.api.context import context_of, key_in, owners
from framegate.domain import Scope
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


by_key = owners(sent_key)


def sent_token(connection: HTTPConnection) -> str | None:
    """The token in `fal_jwt_token` or in the place of a key."""
    sent = connection.query_params.get("fal_jwt_token") or sent_key(connection) or ""
    return sent if sent.startswith(TOKEN_PREFIX) else None


async def owner_of(connection: HTTPConnection) -> str:
    """Whose jobs the caller may see. Raises `Unauthorized`, `Forbidden`, `Busy`."""
    token = sent_token(connection)
    if token is None:
        return await by_key(connection)
    caller = token_caller(token, context_of(connection).jobs.secret)
    if caller is None:
        raise Unauthorized("This token has expired or is not one of ours. Ask for another.")
    return call_as(caller).owner


Owner = Annotated[str, Depends(owner_of)]
KeyOwner = Annotated[str, Depends(by_key)]  # a token makes no further tokens


def new_token(owner: str, secret: bytes, *, seconds: int = TOKEN_SECONDS) -> tuple[str, int]:
    """A token that stands for the key of the caller, an owner's, and when it expires, in Unix seconds."""
    expires, caller = int(time.time()) + min(seconds, TOKEN_SECONDS_MAX), calling()
    key_id = (caller.key_id if caller else None) or ""
    told = base64.urlsafe_b64encode(f"{expires}\n{owner}\n{key_id}".encode()).rstrip(b"=").decode()
    return f"{TOKEN_PREFIX}{told}.{_signature(told, secret)}", expires


def token_caller(token: str, secret: bytes) -> Caller | None:
    """Whose key a token stands for, if it is ours and has not expired."""
    told, _, signature = token.removeprefix(TOKEN_PREFIX).rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(told, secret).encode()):
        return None
    expires, owner, key_id = base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)).decode().split("\n")
    scopes = frozenset({Scope.CREATE, Scope.READ})
    return Caller(owner=owner, scopes=scopes, key_id=key_id or None) if int(expires) > time.time() else None


def _signature(told: str, secret: bytes) -> str:
    return hmac.new(secret, f"fal token 2\n{told}".encode(), hashlib.sha256).hexdigest()
