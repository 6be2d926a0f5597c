"""Ordering again what may have been ordered already: only when a person says so."""

from dataclasses import replace

from framegate.domain import Job, Request
from framegate.domain.errors import Conflict

RETRY_OF = "retry_of"


def retry_request(job: Job) -> Request:
    """The request of the job that takes an unsure one's place, its metadata naming that. Raises `Conflict`."""
    if not job.state.is_final:
        raise Conflict(f"The job is {job.state.status.value}. Only one that ended can be retried.", code="job_not_over")
    if job.fault is None or not job.fault.unsure:
        raise Conflict(
            f"The job is {job.state.value}, and it is known what became of its order. Only a job whose order's fate is "
            "unknown is retried; to make this one again, create it anew.",
            code="retry_not_unsure",
        )
    request = job.request
    if request.previous_job_id is not None:  # the video that it goes on from is among its references already
        request = replace(request, previous_job_id=None)
    return replace(request, metadata={**request.metadata, RETRY_OF: job.id})


def retry_key(job: Job) -> str:
    """The idempotency key under which a job is retried: once. No client can send it, for it is not ASCII."""
    return f"retry \N{RIGHTWARDS ARROW} {job.id}"
