"""Jobs to rows and back. The request is written once; the rest of the job with every move."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

from pydantic import TypeAdapter

from framegate.domain import Event, Job, Request, State

DEPTH_MAX = 100  # of a provider's JSON as it is stored
TOO_DEEP = "(nested too deeply to be stored)"

_job: TypeAdapter[Job] = TypeAdapter(Job)
_request: TypeAdapter[Request] = TypeAdapter(Request)


def dump_request(request: Request) -> str:
    return _request.dump_json(request, exclude_defaults=True).decode()


def dump_document(job: Job) -> str:
    """All of a job but its request, as JSON."""
    return _job.dump_json(job, exclude={"request"}, exclude_defaults=True).decode()


def load_job(request: str, document: str) -> Job:
    """A job from the two parts that its row keeps."""
    return _job.validate_json(f'{{"request":{request},{document[1:]}')


def load_event(row: Mapping[str, Any]) -> Event:
    columns: dict[str, Any] = {**row, "state": State(row["state"])}
    return Event(**columns)


def job_columns(job: Job, *, due_at: float) -> dict[str, Any]:
    """The columns that change with every move."""
    return {
        "state": job.state.value,
        "is_open": not job.state.is_final,
        "version": job.version,
        "due_at": due_at,
        "cancel_requested": job.cancel_requested,
        "state_json": dump_document(job),
    }


def event_columns(job: Job) -> dict[str, Any]:
    """The event that a move makes."""
    return {
        "job_id": job.id,
        "seq": job.version,
        "at": job.updated_at,
        "state": job.state.value,
        "stage": job.stage,
        "progress": job.progress,
    }


def to_storable(value: Any, depth: int = DEPTH_MAX) -> Any:  # noqa: ANN401 - any field of a job
    """Return a field of a job so that it can be stored: lone surrogates become "?", and the nesting is limited.

    A paid job is not lost because its provider's response cannot be written.
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value).items()
        return {to_storable(name): to_storable(item, depth - 1) for name, item in pairs} if depth else TOO_DEEP
    if isinstance(value, list | tuple):
        items = cast("tuple[Any, ...]", value)
        return tuple(to_storable(item, depth - 1) for item in items) if depth else TOO_DEEP
    if is_dataclass(value) and not isinstance(value, type):
        before = {field.name: getattr(value, field.name) for field in fields(value)}
        after = {name: to_storable(item, depth - 1) for name, item in before.items()}
        changed = {name: item for name, item in after.items() if item != before[name]}
        return replace(value, **changed) if changed else value
    return value
