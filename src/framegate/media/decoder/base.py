"""The contract of a decoder, the budget of one call, and the errors of a call."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from framegate.domain.errors import FramegateError, Unavailable

T = TypeVar("T")

INSPECT_CPU_SECONDS_MAX = 20.0
CHECK_CPU_SECONDS_MAX = 60.0


class Lane(StrEnum):
    """Processes that calls share: a call never waits for one of another lane."""

    INSPECT = "inspect"  # references and uploads: a client waits
    CHECK = "check"  # finished files: a job waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one call may use."""

    lane: Lane = Lane.INSPECT
    cpu_seconds: float = INSPECT_CPU_SECONDS_MAX
    pixels: int = 0  # decoded at once; a call waits until its pixels fit into the budget of all calls
    share: str = ""  # calls that wait take turns by this name, for example the tenant's


INSPECT = Budget()
CHECK = Budget(lane=Lane.CHECK, cpu_seconds=CHECK_CPU_SECONDS_MAX)


class FileLimitExceeded(FramegateError):
    """Decoding the file exceeds a limit."""

    code = "file_limit_exceeded"
    status = 400

    def __init__(self, message: str, *, resource: str) -> None:
        self.resource = resource  # "memory" or "time"
        super().__init__(message)


class DecoderUnavailable(Unavailable):
    """No decoder process can be started. The file was not inspected; try again later."""

    code = "decoder_unavailable"


class DecoderFault(RuntimeError):
    """An unexpected error in a decoder process, or its crash: the file is unusable or the code has a fault."""


class Decoder(Protocol):
    """Runs functions of `framegate.media.calls` where untrusted files may be decoded."""

    async def run(self, function: Callable[..., T], *args: object, budget: Budget = INSPECT) -> T:
        """Call a function in a decoder process.

        The arguments and the result must be values: the process may be on another machine that shares the files. A
        cancelled call is stopped. Raises what the function raises (`ReferenceUnusable`, `UnsupportedMediaType`,
        `Unreadable`, `OSError`), `FileLimitExceeded`, `DecoderUnavailable`, and `DecoderFault`.
        """
        ...
