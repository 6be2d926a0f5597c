"""`Idempotency-Key`: a create with the same key and body returns the same job, in every API.

A key is remembered for as long as its job exists, and only its tenant deletes a job. The response of a repeated create
has the header `Idempotency-Replayed`.
"""

from typing import Annotated

from fastapi import Depends, Header

from framegate.domain import Problem
from framegate.domain.errors import InvalidRequest

KEY_CHARS_MAX = 255
KEY_RULE = f"must be 1 to {KEY_CHARS_MAX} printable ASCII characters"


def is_valid_key(key: str) -> bool:
    """Whether a key can be stored and compared."""
    return bool(key.strip()) and len(key) <= KEY_CHARS_MAX and key.isascii() and key.isprintable()


async def _key(
    idempotency_key: Annotated[
        str | None,
        Header(description="A create with the same key and body returns the same job; another body is a 409."),
    ] = None,
) -> str | None:
    if idempotency_key is None or is_valid_key(idempotency_key):
        return idempotency_key
    message = f"The header `Idempotency-Key` {KEY_RULE}."
    raise InvalidRequest([Problem(code="invalid_header", pointer="", message=message)])


IdempotencyKey = Annotated[str | None, Depends(_key)]
