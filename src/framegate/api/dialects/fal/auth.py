"""Authentication of fal's clients: by API key, or by a short-lived token that stands for one."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from framegate.api.context import callers, context_of, key_in, remember, scope_needed
from framegate.api.http.signing import Signer, decode_payload, encode_payload
from framegate.domain import Caller
from framegate.domain.errors import Unauthorized

TOKEN_PREFIX = "fgt."  # noqa: S105 - tells a token from a key
TOKEN_PURPOSE = "fal token 3"  # noqa: S105 - what the signature is for
TOKEN_SECONDS = 3600
TOKEN_SECONDS_MAX = 24 * 3600


def read_key(connection: HTTPConnection) -> str | None:
    """Return the key sent as `Authorization: Key …`, as `Authorization: Bearer …`, or as the whole header."""
    keys = (key_in(connection, scheme=scheme) for scheme in ("Key", "Bearer", ""))
    return next((key for key in keys if key), None)


def read_token(connection: HTTPConnection) -> str | None:
    """Return the token sent as `fal_jwt_token` or instead of a key."""
    text = connection.query_params.get("fal_jwt_token") or read_key(connection) or ""
    return text if text.startswith(TOKEN_PREFIX) else None


caller_by_key = callers(read_key)


async def caller_of(connection: HTTPConnection) -> Caller:
    """Authenticate the caller by key or by token. Raises `Unauthorized`, `Forbidden`, `Busy`."""
    token = read_token(connection)
    if token is None:
        return await caller_by_key(connection)
    context = context_of(connection)
    credential = verify_token(token, Signer(context.jobs.secret), now=context.machine.now())
    if credential is None:
        raise Unauthorized("Invalid or expired token. Request a new one.")
    return remember(connection, await context.keys.authenticate_credential(credential, scope_needed(connection)))


CallerDependency = Annotated[Caller, Depends(caller_of)]
KeyCaller = Annotated[Caller, Depends(caller_by_key)]  # a token cannot create further tokens


async def _owner(caller: CallerDependency) -> str:
    return caller.owner


Owner = Annotated[str, Depends(_owner)]


async def owner_of(connection: HTTPConnection) -> str:
    """Return the tenant of the caller. Raises what `caller_of` raises."""
    return (await caller_of(connection)).owner


def issue_token(credential: str, signer: Signer, *, now: float, seconds: int = TOKEN_SECONDS) -> tuple[str, int]:
    """Return a token that stands for the key with this credential, and when it expires, in Unix seconds."""
    expires_at = int(now) + min(seconds, TOKEN_SECONDS_MAX)
    payload = encode_payload(f"{expires_at}\n{credential}".encode())
    return f"{TOKEN_PREFIX}{payload}.{signer.sign(TOKEN_PURPOSE, payload)}", expires_at


def verify_token(token: str, signer: Signer, *, now: float) -> str | None:
    """Return the credential of the key that a token stands for; None if the token is forged or has expired.

    The key may have ended since: authenticate it at each use.
    """
    payload, _, signature = token.removeprefix(TOKEN_PREFIX).rpartition(".")
    if not signer.verify(signature, TOKEN_PURPOSE, payload):
        return None
    expires_at, credential = decode_payload(payload).decode().split("\n")
    return credential if int(expires_at) > now else None
