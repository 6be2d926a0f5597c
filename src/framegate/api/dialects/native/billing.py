"""Routes of money: the bill of a job, spending, and the retry of an order of unknown outcome."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from framegate.api.context import CallerDependency, Owner, context_of
from framegate.api.dialects.native.errors import ERRORS, operation_id
from framegate.api.dialects.native.jobs import job_response
from framegate.api.dialects.native.responses import Answer, VideoJob
from framegate.api.http.body import read_json
from framegate.api.http.query import KNOWN_QUERY_ONLY
from framegate.api.http.validation import Body, validated
from framegate.domain import Job, Problem
from framegate.domain.errors import InvalidRequest
from framegate.domain.ledger import Entry, EntryState

router = APIRouter(tags=["money"], responses=ERRORS, generate_unique_id_function=operation_id)
By = Annotated[Literal["key", "model", "provider", "day"], Query()]
Day = Annotated[str | None, Query(max_length=10, description="A UTC day such as 2026-11-01.")]


class BillAnswer(Answer):
    """Ledger entry of a job. Amounts are millionths of a US dollar; an unknown one is left out.

    `reported`: the settled amount is the provider's, else the estimate. `unsure`: the outcome of the order is unknown,
    and a person may retry it.
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
    """Cost of a group of jobs, in millionths of a US dollar. `name` is left out for jobs created without a key.

    `unreported_micro_usd` is the part of the settled amount that is an estimate: the provider did not report it.
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
    """Spending of the tenant, by group and in total."""

    by: str
    since: str | None = None
    until: str | None = None
    data: list[SpentAnswer]
    total: SpentAnswer


class RetryRequest(Body):
    """Confirmation that an order may be submitted again although it may have been accepted."""

    confirm: bool = False
    void_first: bool = False


RETRY_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": RetryRequest.model_json_schema()}}}
}


@router.get("/spend", responses={200: {"model": SpendAnswer}}, dependencies=[KNOWN_QUERY_ONLY])
async def spend(request: Request, owner: Owner, *, by: By = "model", since: Day = None, until: Day = None) -> Response:
    """Get the spending of the tenant. A job counts on the UTC day of its acceptance; both days are inclusive."""
    check_days(since, until)
    groups = await context_of(request).jobs.spent(by, owner=owner, since=since, until=until)
    return JSONResponse(spend_answer(by, since, until, [asdict(group) for group in groups]).sent())


@router.get("/videos/{job_id}/bill", responses={200: {"model": BillAnswer}}, dependencies=[KNOWN_QUERY_ONLY])
async def bill(request: Request, owner: Owner, job_id: str) -> Response:
    """Get the ledger entry of a job: reserved, settled, void or held."""
    jobs = context_of(request).jobs
    job = await jobs.get(job_id, owner=owner)
    entry = await jobs.bill(job_id, owner=owner)
    return JSONResponse(bill_answer(job, entry).sent())


@router.post("/videos/{job_id}/retry", status_code=202, responses={202: {"model": VideoJob}}, openapi_extra=RETRY_BODY)
async def retry(request: Request, caller: CallerDependency, job_id: str) -> Response:
    """Retry a job whose submission outcome is unknown: one new job, however often this is called. It may cost twice."""
    context = context_of(request)
    await context.jobs.get(job_id, owner=caller.owner)
    body = validated(RetryRequest, await read_json(request, bytes_max=context.settings.body_bytes_max))
    if not body.confirm:
        message = "The order may have been accepted, so a retry may cost twice. Send `confirm` as true to retry."
        raise InvalidRequest([Problem(code="confirm_missing", pointer="/confirm", message=message, nearest=True)])
    job = await context.jobs.retry(job_id, caller=caller, void_first=body.void_first)
    return JSONResponse(job_response(request, job).sent(), status_code=202)


def bill_answer(job: Job, entry: Entry) -> BillAnswer:
    """Return the response for a ledger entry."""
    return BillAnswer(
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


def spend_answer(by: str, since: str | None, until: str | None, groups: Sequence[Mapping[str, Any]]) -> SpendAnswer:
    """Return the response for the spending by groups, with the total."""
    rows = [SpentAnswer(**group) for group in groups]
    amounts = [name for name in SpentAnswer.model_fields if name != "name"]
    total: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in amounts}
    return SpendAnswer(by=by, since=since, until=until, data=rows, total=SpentAnswer(**total))


def check_days(since: str | None, until: str | None) -> None:
    """Raise `InvalidRequest` for texts that are not days, or not in order."""
    _check_day("since", since)
    _check_day("until", until)
    if since and until and since > until:
        message = f"`since` ({since}) is after `until` ({until}); give the earlier day to `since`."
        raise InvalidRequest([Problem(code="invalid_parameter", pointer="/since", message=message)])


def _check_day(name: str, text: str | None) -> None:
    try:
        is_day = text is None or dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_day = False
    if not is_day:
        message = f"`{name}` must be a day such as 2026-11-01, not `{text}`."
        raise InvalidRequest([Problem(code="invalid_parameter", pointer=f"/{name}", message=message)])
