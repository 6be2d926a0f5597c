"""Jobs of the fal-compatible API: create, look up, report."""

import difflib
from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse

from framegate.api.context import base_url, context_of, request_context_of
from framegate.api.dialects.fal.endpoints import Endpoint, endpoints, find
from framegate.api.dialects.fal.errors import unprocessable
from framegate.api.dialects.fal.headers import idempotency_key_of, policy_of, webhook_of
from framegate.api.dialects.fal.proxy import QUEUE_URL
from framegate.api.dialects.fal.requests import parse
from framegate.api.dialects.fal.responses import REQUEST_ID, apps_of, endpoint_of, status_body, status_word
from framegate.api.http.body import fingerprint, read_json
from framegate.api.middleware.vendor_hosts import route_of
from framegate.catalogue.rules.context import listed
from framegate.domain import Caller, Job
from framegate.domain.errors import Busy, InvalidRequest, NotFound

DIALECT = "fal"
NAME_CHARS_MAX = 100  # of a client's path in a message


async def create_job(request: Request, caller: Caller, endpoint_id: str, *, webhook: str | None = None) -> Job:
    """Create the job for a request to an endpoint.

    Raises `NotFound` for an unknown endpoint, `Unprocessable` for an invalid input, and `Busy`.
    """
    context = context_of(request)
    endpoint = get_endpoint(request, endpoint_id)
    policy = policy_of(request.headers)
    key = idempotency_key_of(request.headers)
    callback_url = webhook_of(webhook, context.settings)
    body = await read_json(request, bytes_max=context.settings.body_bytes_max)
    video_request = parse(endpoint, body, policy=policy, callback_url=callback_url)
    try:
        return await context.jobs.create(
            video_request,
            caller=caller,
            dialect=DIALECT,
            context=request_context_of(request),
            idempotency_key=key,
            body_hash=fingerprint([endpoint.id, body]) if key else "",
            base_url=base_url(request),
        )
    except InvalidRequest as error:
        raise unprocessable(error.problems, endpoint, body) from error


def get_endpoint(request: Request, endpoint_id: str) -> Endpoint:
    """Return an endpoint by its id. Raises `NotFound`, with similar ids."""
    catalogue = context_of(request).jobs.catalogue
    endpoint = find(endpoint_id.strip("/"), catalogue)
    if endpoint is None:
        ids = {name.lower(): name for name in endpoints()}
        close = difflib.get_close_matches(endpoint_id.lower()[:NAME_CHARS_MAX], ids, n=3)
        similar = [ids[name] for name in close] or catalogue.suggest(endpoint_id)
        hint = f" Did you mean {listed([f'`{name}`' for name in similar])}?" if similar else ""
        raise NotFound(f"Endpoint not found: `{endpoint_id[:NAME_CHARS_MAX]}`.{hint}")
    return endpoint


async def get_job(request: Request, owner: str, app: str, job_id: str) -> Job:
    """Return a job by its id and its app, or an endpoint of that app. Raises `NotFound`."""
    context = context_of(request)
    job = await context.jobs.get(job_id, owner=owner)
    path = app.strip("/")
    if not any(path == name or path.startswith(f"{name}/") for name in apps_of(job, context.jobs.catalogue)):
        raise NotFound(f"Request not found: {job_id} of `{path[:NAME_CHARS_MAX]}`.")
    return job


async def check_queue_length(request: Request, length_max: int | None) -> None:
    """Enforce the client's own limit on the queue. Raises `Busy` before a job is created."""
    if length_max is None:
        return
    queued = await context_of(request).jobs.ahead()
    if queued > length_max:
        raise Busy(f"{queued} requests are queued; `fal_max_queue_length` allows {length_max}. No request was created.")


def queue_url_of(request: Request) -> str:
    """Return the URL of the queue at the origin that this client used: some send their key only there.

    Through the proxy and by fal's own host name it differs from the gateway's `public_url`.
    """
    context = context_of(request)
    if route_of(request.scope, context.settings):
        return f"{request.url.scheme}://{request.url.netloc}/fal/queue"
    return request.scope.get(QUEUE_URL) or f"{base_url(request)}/queue"


async def status_of(request: Request, job: Job, *, logs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return a job's status, with its place in the queue and the base URL of this client."""
    context = context_of(request)
    position = await context.jobs.ahead(job.id) if status_word(job) == "IN_QUEUE" else 0
    endpoint = endpoint_of(job, context.jobs.catalogue)
    return status_body(job, queue_url=queue_url_of(request), position=position, logs=logs, endpoint=endpoint)


def job_response(body: object, job: Job, *, status: int = 200, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a response about a job, with its id in the header that clients read."""
    return JSONResponse(body, status_code=status, headers={REQUEST_ID: job.id, **(headers or {})})
