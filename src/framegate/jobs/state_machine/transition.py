"""One move of a job: what it changes, and how long until the next."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, cast

from framegate.domain import Done, Fault, Handle, Job, Problem, State
from framegate.domain.errors import FramegateError, ProviderError
from framegate.providers.base import Provider

RENDERED = 0.95  # how far a job is when its file is made; fetching and checking are the rest
DEPTH_MAX = 100  # of what a provider tells, as it is kept
TOO_DEEP = "(nested deeper than is kept)"
STAGE_CHARS_MAX = 64
ACCOUNT_SECONDS = 15.0
PACE_SECONDS = 60.0  # looks get rarer by once the first wait for so much of a job's age
JITTER = 0.2
BACK_OFF_SECONDS = (1.0, 5.0, 20.0)
AGAIN = "waiting to try again"
# No order stands.
UNMADE: Mapping[str, Any] = MappingProxyType(
    {
        "handle": None,
        "provider_files": (),
        "cost_micro_usd": None,
        "account_url": "",
        "account_key": "",
        "missing_since": None,
    }
)


@dataclass(frozen=True, slots=True)
class Transition:
    """What one move changes; nothing to change is another look later. `wait` is seconds until the next move."""

    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    wait: float = 0.0
    order: str | None = None  # how the newest order now stands
    over_budget: "Transition | None" = None  # what to do where another way was taken early, and none can be paid for


def failed(fault: Fault, *, at: float, state: State = State.FAILED) -> Transition:
    """The move to an end without a video."""
    return Transition({"state": state, "stage": state.value, "fault": fault, "finished_at": at})


def fault_of(error: FramegateError, message: str | None = None) -> Fault:
    """What went wrong, as a job keeps it."""
    said = error.message if message is None else message
    return Fault(code=error.code, message=said, retryable=error.retryable, unsure=error.unsure)


def waiting(account: str, why: str) -> str:
    """The stage of a job that waits for an account; a long name is shortened."""
    room = STAGE_CHARS_MAX - len(f"waiting for : {why}")
    return f"waiting for {account if len(account) <= room else account[: room - 1] + '…'}: {why}"


def staying(job: Job, stage: str, wait: float) -> Transition:
    """To look again later, where only the stage may be another one."""
    return Transition({} if job.stage == stage else {"stage": stage}, wait=wait)


def accepted(handle: Handle, *, wait: float) -> Transition:
    """The move to following an order that stands."""
    taken = {"state": State.RUNNING, "stage": "running", "handle": handle, "submit_unconfirmed": False}
    return Transition(taken, wait=wait, order="accepted")


def put_off(setbacks: int, stage: str, wait: float) -> Transition:
    """To order once more, after a pause that grows with the setbacks, or as long a wait as was asked for."""
    back = {"state": State.PREPARING, "stage": stage, "failed_submits": setbacks, **UNMADE}
    pause = BACK_OFF_SECONDS[min(setbacks, len(BACK_OFF_SECONDS)) - 1]
    return Transition(back, wait=max(pause, wait), order="not_sent")


def order_key(job: Job) -> str:
    """The idempotency key of a job's order."""
    return hashlib.sha256(f"framegate order {job.id}".encode()).hexdigest()[:32]


def pace(job: Job, provider: Provider, *, now: float) -> float:
    """How long until the next look: longer as the job gets older, and not at the same moment for all."""
    age = now - (job.started_at or job.created_at)
    grown = provider.poll_seconds * (1 + age / PACE_SECONDS)
    wait = min(grown, provider.poll_seconds_max or provider.poll_seconds)
    return wait * (1 + JITTER * (int(order_key(job)[:4], 16) / 0xFFFF - 0.5))


def missing(job: Job) -> ProviderError:
    """What to say of an account that was taken out of the settings before its job was ordered."""
    where = job.account_url or job.provider
    text = f"The account `{job.account}` at {where} is not configured any more. Put it back, and the job goes on."
    return ProviderError(text, code="provider_missing")


def without_account(job: Job) -> Transition:
    """To wait for an account that was taken out of the settings, and may come back."""
    stage = f"waiting for the account {job.account} at {job.provider}"[:STAGE_CHARS_MAX]
    return staying(job, stage, ACCOUNT_SECONDS)


def made(job: Job, done: Done, *, at: float) -> Transition:
    """The move to fetching what a provider has made; to an end where it names no file."""
    if not done.outputs:
        said = "The provider says that the video is made, and names no file. It may charge."
        return failed(Fault(code="output_missing", message=said, may_charge=True), at=at)
    said = {
        "provider_files": done.outputs,
        "cost_micro_usd": done.cost_micro_usd,
        "warnings": _noted(job, done),
        "provider_metadata": done.metadata,
    }
    return Transition({**said, "state": State.FETCHING, "stage": "fetching", "progress": RENDERED})


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
