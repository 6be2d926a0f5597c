"""Routes of the operator: facts about the gateway; for the scope `admin`, the jobs, keys and money of all owners."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from framegate import __version__
from framegate.api.context import Owner, callers, context_of, key_in
from framegate.api.dialects.native.billing import (
    BillAnswer,
    By,
    Day,
    SpendAnswer,
    bill_answer,
    check_days,
    spend_answer,
)
from framegate.api.dialects.native.errors import ERRORS, operation_id
from framegate.api.dialects.native.jobs import Cursor, Limit, job_response
from framegate.api.dialects.native.responses import Answer, VideoJob
from framegate.api.http.body import read_json
from framegate.api.http.openapi import json_body
from framegate.api.http.query import KNOWN_QUERY_ONLY
from framegate.api.http.validation import Body, Whole, validated
from framegate.domain import BudgetPeriod, Caller, Key, Scope, Status
from framegate.domain.keys import (
    BUDGET_MICRO_USD_MAX,
    DEFAULT_OWNER,
    NAME_CHARS_MAX,
    REQUESTS_PER_MINUTE_MAX,
    key_record,
)
from framegate.jobs.operator import BilledJob

ADMIN_BODY_BYTES_MAX = 16 * 1024
LIFETIME_SECONDS_MAX = 100 * 366 * 86_400

Admin = Annotated[Caller, Depends(callers(key_in, scope=Scope.ADMIN))]
OwnerName = Annotated[str | None, Query(min_length=1, max_length=64)]
router = APIRouter(tags=["operator"], responses=ERRORS, generate_unique_id_function=operation_id)


class GatewayAnswer(Answer):
    """Facts about the gateway. In a `sandbox`, no provider is called and nothing is charged."""

    version: str
    sandbox: bool


class OwnedJob(VideoJob):
    """Job with its owner and its ledger entry."""

    owner: str
    bill: BillAnswer | None = None


class OwnedJobList(Answer):
    """Page of jobs, newest first; `next` is the `after` of the next page."""

    data: list[OwnedJob]
    has_more: bool
    next: str | None = None


class KeyAnswer(Answer):
    """API key of a client. Its text is only in the response that creates it."""

    id: str
    owner: str
    name: str
    scopes: list[Scope]
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None
    requests_per_minute: int | None = None
    budget_micro_usd: int | None = None
    budget_period: BudgetPeriod | None = None
    state: str
    key: str | None = None


class KeyList(Answer):
    """Keys, oldest first."""

    data: list[KeyAnswer]


class BudgetRequest(Body):
    """Budget of a key; without `budget_micro_usd` there is no limit."""

    budget_micro_usd: Annotated[Whole, Field(ge=0, le=BUDGET_MICRO_USD_MAX)] | None = None
    budget_period: Annotated[BudgetPeriod, Field(strict=False)] | None = None


class KeyRequest(BudgetRequest):
    """New key. `lifetime_seconds`: until it expires; default: never."""

    owner: Annotated[str, Field(min_length=1, max_length=64)] = DEFAULT_OWNER
    name: Annotated[str, Field(max_length=NAME_CHARS_MAX)] = ""
    scopes: Annotated[list[Annotated[Scope, Field(strict=False)]], Field(min_length=1, max_length=len(Scope))] = Field(
        default_factory=lambda: [Scope.CREATE, Scope.READ]
    )
    lifetime_seconds: Annotated[Whole, Field(ge=1, le=LIFETIME_SECONDS_MAX)] | None = None
    requests_per_minute: Annotated[Whole, Field(ge=1, le=REQUESTS_PER_MINUTE_MAX)] | None = None


class SettleRequest(Body):
    """Final cost of a held job in millionths of a US dollar; 0 for nothing."""

    cost_micro_usd: Annotated[Whole, Field(ge=0, le=BUDGET_MICRO_USD_MAX)]


BODIES = (KeyRequest, BudgetRequest, SettleRequest)


@router.get("/gateway", responses={200: {"model": GatewayAnswer}}, dependencies=[KNOWN_QUERY_ONLY])
async def gateway(request: Request, _: Owner) -> Response:
    """Get facts about the gateway: its version, and whether it is a sandbox."""
    settings = context_of(request).settings
    return JSONResponse(GatewayAnswer(version=__version__, sandbox=settings.sandbox).sent())


@router.get("/admin/videos", responses={200: {"model": OwnedJobList}}, dependencies=[KNOWN_QUERY_ONLY])
async def list_all_jobs(
    request: Request,
    _: Admin,
    *,
    owner: OwnerName = None,
    held: bool = False,
    limit: Limit = 50,
    after: Cursor = None,
    status: Annotated[list[Status] | None, Query()] = None,
    model: Annotated[str | None, Query(min_length=1, max_length=256, pattern=r"^[^\x00]+$")] = None,
) -> Response:
    """List the jobs of all owners, or of one, newest first; with `held` those whose cost a person must settle."""
    operator = context_of(request).operator
    page = await operator.list(owner=owner, held=held, limit=limit, after=after, status=status or (), model=model)
    data = [_owned(request, billed) for billed in page.jobs]
    return JSONResponse(OwnedJobList(data=data, has_more=page.next is not None, next=page.next).sent())


@router.get("/admin/videos/{job_id}", responses={200: {"model": OwnedJob}}, dependencies=[KNOWN_QUERY_ONLY])
async def get_any_job(request: Request, _: Admin, job_id: str) -> Response:
    """Get a job of any owner, with its ledger entry."""
    return JSONResponse(_owned(request, await context_of(request).operator.get(job_id)).sent())


@router.post(
    "/admin/videos/{job_id}/settle", responses={200: {"model": BillAnswer}}, openapi_extra=json_body(SettleRequest)
)
async def settle(request: Request, _: Admin, job_id: str) -> Response:
    """Set the final cost of a held job, once it is known; 409 if the job is not held."""
    body = validated(SettleRequest, await read_json(request, bytes_max=ADMIN_BODY_BYTES_MAX))
    operator = context_of(request).operator
    await operator.get(job_id)
    entry = await operator.settle(job_id, body.cost_micro_usd)
    return JSONResponse(bill_answer((await operator.get(job_id)).job, entry).sent())


@router.get("/admin/spend", responses={200: {"model": SpendAnswer}}, dependencies=[KNOWN_QUERY_ONLY])
async def spend_of_all(
    request: Request, _: Admin, *, by: By = "model", since: Day = None, until: Day = None, owner: OwnerName = None
) -> Response:
    """Get the spending of all owners, or of one. A job counts on the UTC day of its acceptance."""
    check_days(since, until)
    groups = await context_of(request).operator.spent(by, owner=owner, since=since, until=until)
    return JSONResponse(spend_answer(by, since, until, [asdict(group) for group in groups]).sent())


@router.get("/admin/keys", responses={200: {"model": KeyList}}, dependencies=[KNOWN_QUERY_ONLY])
async def list_keys(request: Request, _: Admin) -> Response:
    """List the API keys, oldest first."""
    keys = await context_of(request).operator.keys()
    return JSONResponse(KeyList(data=[_key(request, key) for key in keys]).sent())


@router.post("/admin/keys", status_code=201, responses={201: {"model": KeyAnswer}}, openapi_extra=json_body(KeyRequest))
async def create_key(request: Request, _: Admin) -> Response:
    """Create an API key. Its text, `key`, is shown once."""
    body = validated(KeyRequest, await read_json(request, bytes_max=ADMIN_BODY_BYTES_MAX))
    text, key = await context_of(request).operator.create_key(
        owner=body.owner,
        name=body.name,
        scopes=body.scopes,
        lifetime_seconds=body.lifetime_seconds,
        requests_per_minute=body.requests_per_minute,
        budget_micro_usd=body.budget_micro_usd,
        budget_period=body.budget_period,
    )
    context_of(request).keys.forget(key.id)
    return JSONResponse(_key(request, key, text).sent(), status_code=201, headers={"Cache-Control": "no-store"})


@router.post(
    "/admin/keys/{key_id}/budget", responses={200: {"model": KeyAnswer}}, openapi_extra=json_body(BudgetRequest)
)
async def set_budget(request: Request, _: Admin, key_id: str) -> Response:
    """Set or remove the budget of a key, from the next create on."""
    body = validated(BudgetRequest, await read_json(request, bytes_max=ADMIN_BODY_BYTES_MAX))
    key = await context_of(request).operator.set_budget(key_id, body.budget_micro_usd, body.budget_period)
    return JSONResponse(_key(request, key).sent())


@router.post("/admin/keys/{key_id}/revoke", responses={200: {"model": KeyAnswer}})
async def revoke_key(request: Request, _: Admin, key_id: str) -> Response:
    """Revoke a key permanently: at once at this gateway, within five seconds at others on the same database."""
    key = await context_of(request).operator.revoke(key_id)
    context_of(request).keys.forget(key_id)
    return JSONResponse(_key(request, key).sent())


def _owned(request: Request, billed: BilledJob) -> OwnedJob:
    job = billed.job
    bill = bill_answer(job, billed.entry) if billed.entry else None
    return OwnedJob(**dict(job_response(request, job)), owner=job.owner, bill=bill)


def _key(request: Request, key: Key, text: str | None = None) -> KeyAnswer:
    record = key_record(key, now=context_of(request).machine.now())
    return KeyAnswer.model_validate({**record, "key": text})
