"""One move of a job: what it changes, and how long until the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, cast

from framegate.errors import GateError
from framegate.types import Done, Fault, Job, Problem, State

RENDERED = 0.95  # how far a job is when its file is made; fetching and checking are the rest
DEPTH_MAX = 100  # of what a provider tells, as it is kept
TOO_DEEP = "(nested deeper than is kept)"
STAGE_CHARS_MAX = 64


@dataclass(frozen=True, slots=True)
class Step:
    """What one move changes; nothing to change is another look later. `wait` is seconds until the next move."""

    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    wait: float = 0.0
    order: str | None = None  # how the newest order now stands


def failed(fault: Fault, *, at: float, state: State = State.FAILED) -> Step:
    """The move to an end without a video."""
    return Step({"state": state, "stage": state.value, "fault": fault, "finished_at": at})


def fault_of(error: GateError, message: str | None = None) -> Fault:
    """What went wrong, as a job keeps it."""
    said = error.message if message is None else message
    return Fault(code=error.code, message=said, retryable=error.retryable, unsure=error.unsure)


def waiting(account: str, why: str) -> str:
    """The stage of a job that waits for an account; a long name is shortened."""
    room = STAGE_CHARS_MAX - len(f"waiting for : {why}")
    return f"waiting for {account if len(account) <= room else account[: room - 1] + '…'}: {why}"


def staying(job: Job, stage: str, wait: float) -> Step:
    """To look again later, where only the stage may be another one."""
    return Step({} if job.stage == stage else {"stage": stage}, wait=wait)


def made(job: Job, done: Done, *, at: float) -> Step:
    """The move to fetching what a provider has made; to an end where it names no file."""
    if not done.outputs:
        said = "The provider says that the video is made, and names no file. It may charge."
        return failed(Fault(code="output_missing", message=said, may_charge=True), at=at)
    said = {
        "made": done.outputs,
        "cost_micro_usd": done.cost_micro_usd,
        "warnings": _noted(job, done),
        "provider_metadata": done.metadata,
    }
    return Step({**said, "state": State.FETCHING, "stage": "fetching", "progress": RENDERED})


def _noted(job: Job, done: Done) -> tuple[Problem, ...]:
    """The job's warnings with the provider's notes, each once: an order may be made twice, a note be foreseen."""
    said = {warning.message for warning in job.warnings}
    new = [note for note in dict.fromkeys(done.notes) if not said & {note, f"prompt: {note}."}]
    return (*job.warnings, *(Problem(code="render_note", pointer="", message=note) for note in new))


def writable(value: Any, depth: int = DEPTH_MAX) -> Any:  # noqa: ANN401 - whatever a job holds
    """What a provider told, as it can be written: halves of characters become "?", and the nesting has an end.

    A paid job is not lost for what its provider says of it.
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value).items()
        return {writable(k): writable(v, depth - 1) for k, v in pairs} if depth else TOO_DEEP
    if isinstance(value, list | tuple):
        items = cast("tuple[Any, ...]", value)
        return tuple(writable(item, depth - 1) for item in items) if depth else TOO_DEEP
    if is_dataclass(value) and not isinstance(value, type):
        parts = {one.name: getattr(value, one.name) for one in fields(value)}
        new = {name: writable(part, depth - 1) for name, part in parts.items()}
        changed = {name: part for name, part in new.items() if part != parts[name]}
        return replace(value, **changed) if changed else value
    return value
