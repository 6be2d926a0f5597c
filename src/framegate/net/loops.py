"""Loop detection: requests to providers name the gateways that the job came through, the sending one last.

A gateway that finds its own id in an incoming request refuses it, so an order that comes back, over however many other
gateways, never becomes a job. The number of ids is the hop count.
"""

import hashlib
import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

VIA = "framegate-via"  # header of a request to a provider
LOOP = "framegate-loop"  # header of the response that refuses a request: the id of the refusing gateway
HOPS_MAX = 8
ID_CHARS = 16
_ID = re.compile(rf"[0-9a-f]{{{ID_CHARS}}}")
_path: ContextVar[tuple[str, ...]] = ContextVar("framegate_path", default=())


def gateway_id(secret: bytes) -> str:
    """Return the public id of the gateway with this secret: all processes on one database have the same."""
    return hashlib.sha256(b"gateway id\n" + secret).hexdigest()[:ID_CHARS]


def parse_path(header: str | None) -> tuple[str, ...]:
    """Return the ids in a `Framegate-Via` header, at most one more than the maximum; other words are ignored."""
    words = [word.strip() for word in (header or "")[: (ID_CHARS + 2) * (HOPS_MAX + 1)].split(",")]
    return tuple(word for word in words if _ID.fullmatch(word))[: HOPS_MAX + 1]


@contextmanager
def job_path(ids: tuple[str, ...]) -> Generator[None]:
    """Send requests to providers for a job that came through these gateways."""
    token = _path.set(ids)
    try:
        yield
    finally:
        _path.reset(token)


def path_header(own_id: str) -> str:
    """Return the value of `Framegate-Via` for a request of this gateway."""
    return ", ".join((*_path.get(), own_id))
