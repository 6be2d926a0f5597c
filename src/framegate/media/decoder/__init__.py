"""Decoder processes: the only place where untrusted pictures, videos and sounds are decoded.

A decoder process has limits of memory, CPU time and open files, and no credentials in its environment. One that
exceeds a limit or crashes is replaced; the caller gets an error that says which.
"""

from framegate.media.decoder.base import (
    CHECK,
    INSPECT,
    Budget,
    Decoder,
    DecoderFault,
    DecoderUnavailable,
    FileLimitExceeded,
    Lane,
)
from framegate.media.decoder.pool import DecoderPool

__all__ = [
    "CHECK",
    "INSPECT",
    "Budget",
    "Decoder",
    "DecoderFault",
    "DecoderPool",
    "DecoderUnavailable",
    "FileLimitExceeded",
    "Lane",
]
