"""Finding a job by its id: for its owner alone, to whom another's is unknown, or for whoever holds a link of ours."""

import re

from framegate.domain import Job
from framegate.domain.errors import NotFound
from framegate.store import Store

_JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_job_id(text: str) -> bool:
    """Whether a text can be the id of a job here."""
    return _JOB_ID.fullmatch(text) is not None


def job_not_found(job_id: str) -> NotFound:
    """What is said of a job that is not here, or is another's."""
    return NotFound(f"There is no job {job_id[:64]!r} here.")


async def get_job(store: Store, job_id: str) -> Job:
    """A job as it stands, whosever it is. Raises `NotFound`."""
    job = await store.get(job_id) if is_job_id(job_id) else None
    if job is None:
        raise job_not_found(job_id)
    return job


async def get_owned_job(store: Store, job_id: str, owner: str) -> Job:
    """A job of this owner as it stands. Raises `NotFound`."""
    job = await get_job(store, job_id)
    if job.owner != owner:
        raise job_not_found(job_id)
    return job
