"""Look up a job by id, by tenant or by signed URL. Another tenant's job is reported as not found."""

import re

from framegate.domain import Job
from framegate.domain.errors import NotFound
from framegate.store import Store

_JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ID_CHARS_MAX = 64  # in a message


def is_job_id(text: str) -> bool:
    """Whether a text has the form of a job id."""
    return _JOB_ID.fullmatch(text) is not None


def job_not_found(job_id: str) -> NotFound:
    """Return the error for a job that does not exist or belongs to another tenant."""
    return NotFound(f"Job not found: {job_id[:ID_CHARS_MAX]!r}.")


async def get_job(store: Store, job_id: str) -> Job:
    """Return a job of any tenant. Raises `NotFound`."""
    job = await store.get(job_id) if is_job_id(job_id) else None
    if job is None:
        raise job_not_found(job_id)
    return job


async def get_owned_job(store: Store, job_id: str, owner: str) -> Job:
    """Return a job of this tenant. Raises `NotFound`."""
    job = await get_job(store, job_id)
    if job.owner != owner:
        raise job_not_found(job_id)
    return job


def is_retained(job: Job, now: float) -> bool:
    """Whether the outputs of a job are still served: its client may have limited how long."""
    seconds = job.request.policy.retain_seconds
    return seconds is None or now < (job.finished_at or job.updated_at) + seconds
