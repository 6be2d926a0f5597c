"""One transition of a job: what it changes, and how long until the next step."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from framegate.domain import Done, Fault, Handle, Job, Problem, State
from framegate.domain.errors import FramegateError, ProviderError, StorageFull, Unavailable
from framegate.domain.money import JOB_COST_USD_MAX, is_believable
from framegate.providers.base import Provider

RENDERED_PROGRESS = 0.95  # once the file is made; downloading and verifying are the rest
STAGE_CHARS_MAX = 64
ACCOUNT_CHECK_SECONDS = 15.0  # between two looks for a removed account
DISK_RETRY_SECONDS = 10.0  # between two tries of a job that the disk keeps from its next step
POLL_GROWTH_SECONDS = 60.0  # the poll interval grows by its first value per so much of a job's age
POLL_SECONDS_MIN = 0.1
JITTER = 0.2
BACK_OFF_SECONDS = (1.0, 5.0, 20.0)
RETRY_STAGE = "waiting to retry"
COST_NOT_BELIEVED_NOTE = (
    f"The cost that the provider reported was not believed: it is not from 0 to {JOB_COST_USD_MAX:,} US dollars. The "
    "estimate is settled."
)
# Changes of a job that has no open order.
NO_ORDER: Mapping[str, Any] = MappingProxyType(
    {
        "handle": None,
        "provider_files": (),
        "cost_micro_usd": None,
        "account_url": "",
        "account_key": "",
        "missing_since": None,
        "submit_unconfirmed": False,
    }
)


@dataclass(frozen=True, slots=True)
class Transition:
    """What one step changes; without changes the step is repeated. `wait` is seconds until the next step."""

    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    wait: float = 0.0
    order: str | None = None  # new state of the newest order
    over_budget: "Transition | None" = None  # used instead if no other route is within the budget


def failed(fault: Fault, *, at: float, state: State = State.FAILED) -> Transition:
    """Return the transition to an end without a video."""
    return Transition({"state": state, "stage": state.value, "fault": fault, "finished_at": at})


def fault_of(error: FramegateError, message: str | None = None) -> Fault:
    """Return an error as the fault of a job."""
    text = error.message if message is None else message
    return Fault(code=error.code, message=text, retryable=error.retryable, unsure=error.unsure)


def waiting_stage(label: str, reason: str) -> str:
    """Return the stage of a job that waits for an account; a long account name is shortened."""
    chars_max = STAGE_CHARS_MAX - len(f"waiting for : {reason}")
    return f"waiting for {label if len(label) <= chars_max else label[: chars_max - 1] + '…'}: {reason}"


def without_progress(job: Job, stage: str, wait: float) -> Transition:
    """Return the transition of a job that waits in its state; at most the stage changes."""
    return Transition({} if job.stage == stage else {"stage": stage}, wait=wait)


def accepted(handle: Handle, *, wait: float) -> Transition:
    """Return the transition after a provider accepted the order."""
    changes = {"state": State.RUNNING, "stage": "running", "handle": handle, "submit_unconfirmed": False}
    return Transition(changes, wait=wait, order="accepted")


def retry_later(failed_submits: int, stage: str, wait: float) -> Transition:
    """Return the transition to another submit, after a back-off that grows with the failures, at least `wait`."""
    changes = {"state": State.PREPARING, "stage": stage, "failed_submits": failed_submits, **NO_ORDER}
    back_off = BACK_OFF_SECONDS[min(failed_submits, len(BACK_OFF_SECONDS)) - 1]
    return Transition(changes, wait=max(back_off, wait), order="not_sent")


def order_key(job: Job) -> str:
    """Return the idempotency key of a job's order."""
    return hashlib.sha256(f"framegate order {job.id}".encode()).hexdigest()[:32]


def poll_wait(job: Job, provider: Provider, *, age: float) -> float:
    """Seconds until the next poll: longer as the job gets older (`age` in seconds), with a jitter of its own."""
    interval = provider.poll_seconds * (1 + age / POLL_GROWTH_SECONDS)
    wait = max(min(interval, provider.poll_seconds_max or provider.poll_seconds), POLL_SECONDS_MIN)
    return wait * (1 + JITTER * (int(order_key(job)[:4], 16) / 0xFFFF - 0.5))


def account_missing(job: Job) -> ProviderError:
    """Return the error of a job whose account was removed from the settings before its order was submitted."""
    url = job.account_url or job.provider
    return ProviderError(f"Account `{job.account}` at {url} is no longer configured.", code="provider_missing")


def waiting_for_disk(job: Job, trouble: Unavailable) -> Transition:
    """Return the transition of a job that waits for its gateway's disk."""
    stage = "waiting for disk space" if isinstance(trouble, StorageFull) else "waiting for the data folder"
    return without_progress(job, stage, DISK_RETRY_SECONDS)


def wait_for_account(job: Job) -> Transition:
    """Wait for an account that was removed from the settings; it may be added again."""
    stage = f"waiting for the account {job.account} at {job.provider}"[:STAGE_CHARS_MAX]
    return without_progress(job, stage, ACCOUNT_CHECK_SECONDS)


def order_done(job: Job, done: Done, *, at: float) -> Transition:
    """Return the transition to the download of a finished order; to a failure if it has no file."""
    if not done.outputs:
        message = "The provider reports the video as done but names no file. It may charge for it."
        return failed(Fault(code="output_missing", message=message, may_charge=True), at=at)
    cost = done.cost_micro_usd
    is_believed = cost is None or is_believable(cost)
    notes = done.notes if is_believed else (*done.notes, COST_NOT_BELIEVED_NOTE)
    return Transition(
        {
            "state": State.FETCHING,
            "stage": "fetching",
            "progress": RENDERED_PROGRESS,
            "provider_files": done.outputs,
            "cost_micro_usd": cost if is_believed else None,
            "warnings": _with_notes(job, notes),
            "provider_metadata": done.metadata,
        }
    )


def _with_notes(job: Job, provider_notes: Sequence[str]) -> tuple[Problem, ...]:
    """Return the job's warnings and the provider's notes, each once: a note may have been a warning of the check."""
    messages = {warning.message for warning in job.warnings}
    notes = [note for note in dict.fromkeys(provider_notes) if not messages & {note, f"prompt: {note}."}]
    return (*job.warnings, *(Problem(code="render_note", pointer="", message=note) for note in notes))
