"""Jobs to rows and back. The request is written once; the rest of the job with every move."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from framegate.domain import Event, Job, Request, State

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
