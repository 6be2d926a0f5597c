"""The machine that a gateway runs on: the one seam for clocks, ids, entropy, threads and HTTP transports.

The composition root receives one `Machine`. A simulation passes its own, and nothing else reads the time, draws a
random number, starts a thread or opens a connection.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

import anyio.to_thread
import uuid_utils

T = TypeVar("T")


class Clock(Protocol):
    """Wall clock, monotonic clock and sleep."""

    def now(self) -> float:
        """Wall clock, in Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Monotonic clock, in seconds from an arbitrary start: for durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Machine:
    """The real machine."""

    def now(self) -> float:
        """Wall clock, in Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Monotonic clock, in seconds from an arbitrary start: for durations."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def uuid7(self) -> str:
        """Return a new UUIDv7 (RFC 9562): its first 48 bits are the wall clock in milliseconds."""
        return str(uuid_utils.uuid7())

    def random_bytes(self, count: int) -> bytes:
        """Return bytes that cannot be guessed."""
        return secrets.token_bytes(count)

    def uniform(self, low: float, high: float) -> float:
        """Return a random number for jitter; it can be guessed."""
        return random.uniform(low, high)  # noqa: S311 - jitter is no secret

    async def run_in_thread(self, function: Callable[..., T], *args: object, abandon_on_cancel: bool = False) -> T:
        """Run a blocking call in a worker thread; see `anyio.to_thread.run_sync`."""
        return await anyio.to_thread.run_sync(function, *args, abandon_on_cancel=abandon_on_cancel)

    def http_transport(self, make: Callable[[], T]) -> T:
        """Return the transport of an HTTP client: what `make` makes, or a simulated network in its place."""
        return make()


REAL_MACHINE = Machine()  # default of parts that are used outside a gateway too
