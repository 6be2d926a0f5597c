"""Whether an order has left: what fails before its first byte is sent costs nothing."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Submission:
    """One call of a provider's `submit`. `may_have_left` is set before the first byte of the order is sent."""

    may_have_left: bool = False


_CURRENT: ContextVar[Submission | None] = ContextVar("framegate_submission", default=None)


@contextmanager
def watch_submission() -> Generator[Submission]:
    """Watch the order that is submitted inside the block."""
    submission = Submission()
    token = _CURRENT.set(submission)
    try:
        yield submission
    finally:
        _CURRENT.reset(token)


def mark_leaving() -> None:
    """Record that the order of this task is about to leave."""
    if submission := _CURRENT.get():
        submission.may_have_left = True
