"""Decoder without processes, for tests whose subject is not the limits: a call is made where it is asked for."""

from collections.abc import Callable
from typing import TypeVar

from framegate.media.decoder import INSPECT, Budget

T = TypeVar("T")


class InlineDecoder:
    """Makes every call in this process."""

    async def run(self, function: Callable[..., T], *args: object, budget: Budget = INSPECT) -> T:
        return function(*args)
