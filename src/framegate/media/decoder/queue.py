"""Waiting for a place: a fair queue of calls, and the budget of pixels that all calls share."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class FairQueue:
    """At most `size` holders at once; those who wait take turns by their share, and within one by arrival."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of those who wait."""
        return sum(not turn.done() for waiting in self._waiting.values() for turn in waiting)

    @asynccontextmanager
    async def place(self, share: str) -> AsyncGenerator[None]:
        """Wait for a place and hold it."""
        await self._acquire(share)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, share: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(share, deque())
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the place came at the same moment
                self._release()
            raise

    def _release(self) -> None:
        while self._waiting:
            share, waiting = self._waiting.popitem(last=False)
            turn = waiting.popleft()
            if waiting:
                self._waiting[share] = waiting  # at the end: the other shares come first
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class PixelBudget:
    """Pixels that are decoded at the same time, in order of arrival; a picture of more than all takes all."""

    def __init__(self, pixels_max: int) -> None:
        self._pixels_max = pixels_max
        self._used = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def reserve(self, pixels: int) -> AsyncGenerator[None]:
        """Wait until so many pixels fit, and hold them."""
        pixels = min(pixels, self._pixels_max)
        if pixels and (self._waiting or self._used + pixels > self._pixels_max):
            await self._wait(pixels)
        else:
            self._used += pixels
        try:
            yield
        finally:
            self._used -= pixels
            self._admit()

    async def _wait(self, pixels: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((pixels, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # admitted at the same moment
                self._used -= pixels
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._used + self._waiting[0][0] <= self._pixels_max:
            pixels, turn = self._waiting.popleft()
            if not turn.done():
                self._used += pixels
                turn.set_result(None)
