"""fal's two shapes of errors: a list of details for what is wrong with an input, a sentence for all else.

Both carry our message as `message` too, for @fal-ai/client shows nothing else of an error.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse

from framegate.api.dialects.fal.details import Detail, Loc, Unprocessable
from framegate.api.dialects.fal.endpoints import Endpoint, Field
from framegate.domain import Fault, Job, Problem, State
from framegate.domain.errors import FramegateError, IdempotencyConflict, InvalidRequest

ERROR_TYPE = "X-Fal-Error-Type"
TIMEOUT_TYPE = "X-Fal-Request-Timeout-Type"
NEEDS_RETRY = "X-Fal-Needs-Retry"
# Statuses after which fal's clients send the same create again: none of them may follow a job that was made.
RETRIED = frozenset({408, 409, 429, 502, 503, 504})
TYPES = {400: "bad_request", 500: "internal_error", 503: "runner_scheduling_failure", 504: "request_timeout"}
# What a request's fields are called where an endpoint has no field of its own for them.
REFERENCE_TYPES = {
    "reference_not_an_image": "image_load_error",
    "reference_truncated": "image_load_error",
    "reference_is_empty": "image_load_error",
    "reference_is_html": "image_load_error",
    "reference_tracking_pixel": "image_load_error",
    "reference_bad_data_url": "image_load_error",
    "reference_unsupported_format": "unsupported_image_format",
    "reference_too_large": "file_too_large",
    "reference_too_many_pixels": "image_too_large",
}
PROBLEM_TYPES = {
    "too_many_references": ("sequence_too_long", "max_length", "max"),
    "too_few_references": ("sequence_too_short", "min_length", "min"),
    "prompt_too_long": ("string_too_long", "max_length", "max"),
    "negative_prompt_too_long": ("string_too_long", "max_length", "max"),
    "prompt_too_short": ("string_too_short", "min_length", "min"),
}
MISSING = frozenset({"prompt_required", "missing"})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no video: what the result's request answers, and what a status says of it."""

    status: int
    body: Mapping[str, Any]
    error_type: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def show(error: FramegateError, headers: Mapping[str, str]) -> JSONResponse:
    """The answer to a request that failed."""
    if isinstance(error, Unprocessable):
        return JSONResponse(_listed(error.details), status_code=422, headers=dict(headers))
    if isinstance(error, InvalidRequest):
        details = [detail_of(problem, None, None) for problem in error.problems]
        return JSONResponse(_listed(details), status_code=422, headers=dict(headers))
    # A conflict of idempotency keys is final: at 409 fal's Python client would ask again and again.
    status = 422 if isinstance(error, IdempotencyConflict) else error.status
    said = {"detail": error.message, "message": error.message}
    kind = TYPES.get(status)
    if kind is None:
        return JSONResponse(said, status_code=status, headers=dict(headers))
    return JSONResponse(said | {"error_type": kind}, status_code=status, headers={**headers, ERROR_TYPE: kind})


def refused(problems: Iterable[Problem], endpoint: Endpoint, body: object) -> Unprocessable:
    """What the check says of a request, told of the fields by which the client wrote it."""
    return Unprocessable([detail_of(problem, endpoint, body) for problem in problems])


def detail_of(problem: Problem, endpoint: Endpoint | None, body: object) -> Detail:
    """One broken rule in fal's words."""
    where = "query" if problem.code == "invalid_parameter" else "body"
    loc = (where, *_place(problem.pointer, endpoint))
    kind, ctx = _kind(problem)
    return Detail(loc=loc, msg=problem.message, type=kind, ctx=ctx, input=_at(body, loc))


def _kind(problem: Problem) -> tuple[str, dict[str, Any]]:
    if problem.code in PROBLEM_TYPES:
        kind, name, key = PROBLEM_TYPES[problem.code]
        bounds: Mapping[str, Any] = problem.allowed or {}
        return kind, {name: bounds.get(key)}
    if problem.code.startswith("reference_") and problem.code.endswith(("_unknown", "_invalid", "_duplicate")):
        return "value_error", {}
    if problem.code.startswith("reference_"):
        return REFERENCE_TYPES.get(problem.code, "file_download_error"), {}
    if problem.code in MISSING:
        return "missing", {}
    if problem.code.endswith("_unsupported"):
        return ("one_of", {"expected": problem.allowed}) if problem.allowed else ("feature_not_supported", {})
    return "value_error", {}


def _place(pointer: str, endpoint: Endpoint | None) -> Iterator[str | int]:
    """The client's own place for a pointer into a request: `/generate_audio` may have been `bgm`."""
    parts = [part for part in pointer.split("/") if part]
    if parts and parts[-1] in ("role", "kind", "name"):
        parts.pop()
    if endpoint is not None and parts and endpoint.field(parts[0]) is None:
        found = next((one for one in endpoint.fields if _holds(one, parts[0])), None)
        parts = [found.name] if found else []
    yield from (int(part) if part.isascii() and part.isdecimal() else part for part in parts)


def _holds(one: Field, name: str) -> bool:
    if name in ("input_references", "references"):
        return one.to.startswith("reference.")
    return one.to == name or (one.to == "frames" and name == "duration")


def _at(body: Any, loc: Loc) -> object:  # noqa: ANN401 - any JSON
    for part in loc[1:]:
        try:
            body = body[part]
        except (KeyError, IndexError, TypeError):
            return None
    return body


def _listed(details: Iterable[Detail]) -> dict[str, Any]:
    told = [detail.sent() for detail in details]
    return {"detail": told, "message": " ".join(detail["msg"] for detail in told)}


# -- how a job ended


def failure_of(job: Job, endpoint: Endpoint | None) -> Failure | None:
    """Why a job ended without a video; None while it may still make one, and once it has."""
    fault = job.fault
    if fault is None or job.state is State.COMPLETED:
        return None
    if job.state is State.CANCELLED:
        return _sentence(499, fault, "client_cancelled")
    if job.state is State.EXPIRED:
        # Without this header the clients would ask again, and on /run that is a second job.
        return _sentence(504, fault, "request_timeout", {TIMEOUT_TYPE: "user"})
    if fault.problems:
        details = [detail_of(problem, endpoint, None) for problem in fault.problems]
        return Failure(422, _listed(details), details[0].type)
    if fault.code == "provider_refused":
        return _detail(400, fault, "downstream_service_error")
    retry = {NEEDS_RETRY: "1"} if fault.retryable and not fault.unsure else {}
    return _detail(500, fault, "downstream_service_unavailable" if fault.unsure else "internal_server_error", retry)


def _sentence(status: int, fault: Fault, kind: str, headers: Mapping[str, str] | None = None) -> Failure:
    body = {"detail": fault.message, "error_type": kind, "message": fault.message}
    return Failure(status, body, kind, {ERROR_TYPE: kind, **(headers or {})})


def _detail(status: int, fault: Fault, kind: str, headers: Mapping[str, str] | None = None) -> Failure:
    detail = Detail(loc=("body",), msg=fault.message, type=kind)
    return Failure(status, _listed([detail]), kind, headers or {})
