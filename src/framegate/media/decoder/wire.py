"""Messages between the gateway and a decoder process: a length of 8 bytes and a pickle.

The gateway reads the answers with `load_answer`, which builds plain values and the data classes of the package and
nothing else: a decoder process that a hostile file has taken over cannot run code in the gateway.
"""

import io
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

LENGTH_BYTES = 8
ANSWER_BYTES_MAX = 256 * 2**20
PACKAGES = ("framegate.media.", "framegate.domain.", "framegate.storage.")


@dataclass(frozen=True, slots=True)
class Call:
    """One call: a function by its name, and its limits."""

    function: Callable[..., Any]
    args: tuple[object, ...]
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a call. `kind` is `result`, `refused`, `unsupported`, `unreadable`, `os`, `memory` or `fault`."""

    kind: str
    value: Any


def frame(message: bytes) -> bytes:
    """Return a message with its length in front."""
    return len(message).to_bytes(LENGTH_BYTES, "big") + message


def load_answer(message: bytes) -> Answer:
    """Read an answer of a decoder process. Raises `pickle.UnpicklingError` if it is anything else."""
    answer = _ValuesOnly(io.BytesIO(message)).load()
    if not isinstance(answer, Answer):
        raise pickle.UnpicklingError("not an answer")
    return answer


class _ValuesOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("fractions", "Fraction"):
            return Fraction
        if (module, name) in (("pathlib", "PosixPath"), ("pathlib._local", "PosixPath")):
            return super().find_class(module, name)
        if module.startswith(PACKAGES) and module in sys.modules:
            found = getattr(sys.modules[module], name, None)
            if isinstance(found, type) and (is_dataclass(found) or issubclass(found, Enum)):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is not a value")
