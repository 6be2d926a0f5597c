"""What jobs cost: one job's bill, everything that was spent, and ordering again what may have been ordered already."""

import datetime as dt
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from framegate.api.context import CallerDependency, Owner, context_of
from framegate.api.dialects.native.errors import ERRORS, operation_id, validated
from framegate.api.dialects.native.jobs import shown
from framegate.api.dialects.native.requests import Body
from framegate.api.dialects.native.responses import Answer, VideoJob
from framegate.api.http.body import read_json
from framegate.api.http.query import KNOWN_ALONE
from framegate.domain import Problem
from framegate.domain.errors import InvalidRequest
from framegate.domain.ledger import EntryState

router = APIRouter(tags=["money"], responses=ERRORS, generate_unique_id_function=operation_id)
By = Annotated[Literal["key", "model", "provider", "day"], Query()]
Day = Annotated[str | None, Query(max_length=10, description="A UTC day such as 2026-11-01.")]


class BillAnswer(Answer):
    """How the money of a job stands. Amounts are millionths of a US dollar; one that nobody told is left out.

    `reported`: the provider said what was settled; else it is the estimate. `unsure`: nobody knows whether the order
    was taken, and a person may have it retried.
    """

    job_id: str
    state: EntryState
    reserved_micro_usd: int | None = None
    settled_micro_usd: int | None = None
    reported: bool
    unsure: bool
    key: str | None = None
    model: str
    provider: str
    day: str


class SpentAnswer(Answer):
    """What some jobs came to, in millionths of a US dollar. `name` is left out for jobs that no key placed.

    `unreported_micro_usd` is the part of what is settled that is an estimate, since the provider did not say.
    """

    name: str | None = None
    jobs: int = 0
    settled_micro_usd: int = 0
    unreported_micro_usd: int = 0
    reserved_micro_usd: int = 0
    held_micro_usd: int = 0
    unpriced_jobs: int = 0
    void_jobs: int = 0


class SpendAnswer(Answer):
    """The owner's spending, group by group and in all."""

    by: str
    since: str | None = None
    until: str | None = None
    data: list[SpentAnswer]
    total: SpentAnswer


class RetryRequest(Body):
    """A person's word that a job may be ordered again though its order may have been taken."""

    confirm: bool = False
    void_first: bool = False


RETRY_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": RetryRequest.model_json_schema()}}}
}


@router.get("/spend", responses={200: {"model": SpendAnswer}}, dependencies=[KNOWN_ALONE])
async def spend(request: Request, owner: Owner, *, by: By = "model", since: Day = None, until: Day = None) -> Response:
    """What the owner's jobs came to. A job counts on the UTC day on which it was accepted; both days are counted in."""
    _check_day("since", since)
    _check_day("until", until)
    if since and until and since > until:
        message = f"`since` ({since}) is after `until` ({until}); give the earlier day to `since`."
        raise InvalidRequest([Problem(code="invalid_parameter", pointer="/since", message=message)])
    found = await context_of(request).jobs.spent(by, owner=owner, since=since, until=until)
    rows = [SpentAnswer(**asdict(one)) for one in found]
    amounts = [name for name in SpentAnswer.model_fields if name != "name"]
    total: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in amounts}
    return JSONResponse(SpendAnswer(by=by, since=since, until=until, data=rows, total=SpentAnswer(**total)).sent())


@router.get("/videos/{job_id}/bill", responses={200: {"model": BillAnswer}}, dependencies=[KNOWN_ALONE])
async def bill(request: Request, owner: Owner, job_id: str) -> Response:
    """How the money of a job stands: reserved, settled, void or held."""
    jobs = context_of(request).jobs
    job = await jobs.get(job_id, owner=owner)
    entry = await jobs.bill(job_id, owner=owner)
    told = BillAnswer(
        job_id=entry.job_id,
        state=entry.state,
        reserved_micro_usd=entry.reserved_micro_usd,
        settled_micro_usd=entry.settled_micro_usd,
        reported=entry.provider_reported,
        unsure=job.fault is not None and job.fault.unsure,
        key=entry.key_id,
        model=entry.model,
        provider=entry.provider,
        day=entry.day,
    )
    return JSONResponse(told.sent())


@router.post("/videos/{job_id}/retry", status_code=202, responses={202: {"model": VideoJob}}, openapi_extra=RETRY_BODY)
async def retry(request: Request, caller: CallerDependency, job_id: str) -> Response:
    """Order again a job whose order may have been taken: one new job, however often it is asked. It may cost twice."""
    gate = context_of(request)
    await gate.jobs.get(job_id, owner=caller.owner)
    body = validated(RetryRequest, await read_json(request, bytes_max=gate.settings.body_bytes_max))
    if not body.confirm:
        message = "The order may have been taken, so to order again may cost twice. Send `confirm` as true to do so."
        raise InvalidRequest([Problem(code="confirm_missing", pointer="/confirm", message=message, nearest=True)])
    job = await gate.jobs.retry(job_id, caller=caller, void_first=body.void_first)
    return JSONResponse(shown(request, job).sent(), status_code=202)


def _check_day(name: str, text: str | None) -> None:
    try:
        good = text is None or dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        good = False
    if not good:
        message = f"`{name}` is a day such as 2026-11-01; `{text}` is none."
        raise InvalidRequest([Problem(code="invalid_parameter", pointer=f"/{name}", message=message)])
