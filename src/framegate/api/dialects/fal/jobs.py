"""How a request of fal's clients becomes a job, on the queue or at once."""

import difflib
from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse

from framegate.api.context import base_url, context_of, request_context_of
from framegate.api.dialects.fal.endpoints import Endpoint, endpoints, find
from framegate.api.dialects.fal.errors import refused
from framegate.api.dialects.fal.headers import handling_of, idempotency_key_of, webhook_of
from framegate.api.dialects.fal.requests import parse
from framegate.api.dialects.fal.responses import REQUEST_ID, apps_of, endpoint_of, status_answer, status_word
from framegate.api.dialects.fal.uploads import own_references
from framegate.api.http.body import fingerprint, read_json
from framegate.domain import Caller, Job
from framegate.domain.errors import Busy, InvalidRequest, NotFound

DIALECT = "fal"


async def submit(request: Request, caller: Caller, endpoint_id: str, *, webhook: str | None = None) -> Job:
    """Make the job that the body asks of an endpoint.

    Raises `NotFound` for an id that is none, `Unprocessable` for an input that breaks a rule, and `Busy`.
    """
    gate = context_of(request)
    endpoint = known_endpoint(request, endpoint_id)
    handling = handling_of(request.headers)
    key = idempotency_key_of(request.headers)
    callback_url = webhook_of(webhook, gate.settings)
    body = await read_json(request, bytes_max=gate.settings.body_bytes_max)
    wanted = parse(endpoint, body, handling=handling, callback_url=callback_url)
    wanted = await own_references(wanted, gate, caller.owner)
    try:
        return await gate.jobs.create(
            wanted,
            caller=caller,
            dialect=DIALECT,
            context=request_context_of(request),
            idempotency_key=key,
            body_hash=fingerprint([endpoint.id, body]) if key else "",
            base_url=base_url(request),
        )
    except InvalidRequest as error:
        raise refused(error.problems, endpoint, body) from error


def known_endpoint(request: Request, endpoint_id: str) -> Endpoint:
    """The endpoint of that id. Raises `NotFound`."""
    catalogue = context_of(request).jobs.catalogue
    found = find(endpoint_id.strip("/"), catalogue)
    if found is None:
        known = {name.lower(): name for name in endpoints()}
        close = difflib.get_close_matches(endpoint_id.lower()[:100], known, n=3)
        near = ", ".join(f"`{name}`" for name in [known[name] for name in close] or catalogue.suggest(endpoint_id))
        hint = f" Did you mean one of {near}?" if near else ""
        raise NotFound(f"There is no endpoint `{endpoint_id[:100]}` here.{hint}")
    return found


async def found_job(request: Request, owner: str, app: str, job_id: str) -> Job:
    """A job by its id, if it is one of that app (or of an endpoint of it). Raises `NotFound`."""
    gate = context_of(request)
    job = await gate.jobs.get(job_id, owner=owner)
    path = app.strip("/")
    if not any(path == known or path.startswith(f"{known}/") for known in apps_of(job, gate.jobs.catalogue)):
        raise NotFound(f"There is no request {job_id} of `{path[:100]}` here.")
    return job


async def queue_is_short(request: Request, longest: int | None) -> None:
    """Hold a client's own limit on the queue. Raises `Busy` before anything is made."""
    if longest is None:
        return
    waiting = await context_of(request).jobs.ahead()
    if waiting > longest:
        raise Busy(f"{waiting} requests wait, and `fal_max_queue_length` allows {longest}. Nothing was made.")


async def status_of(request: Request, job: Job, *, logs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A job's status as this client sees it."""
    gate = context_of(request)
    position = await gate.jobs.ahead(job.id) if status_word(job) == "IN_QUEUE" else 0
    endpoint = endpoint_of(job, gate.jobs.catalogue)
    return status_answer(job, base=base_url(request), position=position, logs=logs, endpoint=endpoint)


def sent(body: object, job: Job, *, status: int = 200, headers: dict[str, str] | None = None) -> JSONResponse:
    """An answer about a job, with its id in the header that the clients read."""
    return JSONResponse(body, status_code=status, headers={REQUEST_ID: job.id, **(headers or {})})
