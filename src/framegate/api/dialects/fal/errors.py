"""Errors in fal's two shapes: a list of details for an invalid input, a sentence for everything else.

Both repeat the message as `message`, the only part that @fal-ai/client shows, and as `error.message`, for @ai-sdk/fal.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NoReturn, cast

from starlette.responses import JSONResponse

from framegate.api.dialects.fal.endpoints import Endpoint, Field
from framegate.domain import Fault, Job, Problem, State
from framegate.domain.errors import PROBLEMS_MAX, FramegateError, IdempotencyConflict, InvalidRequest

ECHO_CHARS_MAX = 200
ECHO_ITEMS_MAX = 64  # of a list or object
QUOTE_CHARS_MAX = 60
ERROR_TYPE = "X-Fal-Error-Type"
TIMEOUT_TYPE = "X-Fal-Request-Timeout-Type"
NEEDS_RETRY = "X-Fal-Needs-Retry"
# After these statuses fal's clients repeat the request, so none of them may follow a create that made a job.
RETRIED = frozenset({408, 409, 429, 502, 503, 504})
TYPES = {400: "bad_request", 500: "internal_error", 503: "runner_scheduling_failure", 504: "request_timeout"}
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
# By problem code: fal's type, the name of the limit in `ctx`, and its name in `Problem.allowed`.
LENGTH_TYPES = {
    "too_many_references": ("sequence_too_long", "max_length", "max"),
    "too_few_references": ("sequence_too_short", "min_length", "min"),
    "prompt_too_long": ("string_too_long", "max_length", "max"),
    "negative_prompt_too_long": ("string_too_long", "max_length", "max"),
    "prompt_too_short": ("string_too_short", "min_length", "min"),
}
MISSING = frozenset({"prompt_required", "missing"})

Loc = tuple[str | int, ...]


# -- invalid inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One broken rule of an input, in the form of fal's errors."""

    loc: Loc
    msg: str
    type: str
    ctx: Mapping[str, Any] = field(default_factory=dict[str, Any])
    input: Any = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of the response."""
        loc = [part[:ECHO_CHARS_MAX] if isinstance(part, str) else part for part in self.loc]
        detail: dict[str, Any] = {"loc": loc, "msg": self.msg, "type": self.type}
        detail["url"] = f"https://docs.fal.ai/errors#{self.type}"
        return detail | ({"ctx": dict(self.ctx)} if self.ctx else {}) | {"input": truncate(self.input)}


class Unprocessable(FramegateError):
    """The input is not valid for its endpoint."""

    code = "unprocessable"
    status = 422

    def __init__(self, details: Sequence[Detail]) -> None:
        self.details = tuple(details[:PROBLEMS_MAX])
        if len(details) > PROBLEMS_MAX:
            rest = f"{len(details) - PROBLEMS_MAX:,} more problems are not listed."
            self.details += (Detail(loc=("body",), msg=rest, type="more_problems"),)
        super().__init__(" ".join(detail.msg for detail in self.details))


def fail(loc: Loc, message: str, kind: str, value: object, **ctx: object) -> NoReturn:
    """Reject an input for one broken rule. Raises `Unprocessable`."""
    raise Unprocessable([make_detail(loc, message, kind, value, **ctx)])


def make_detail(loc: Loc, message: str, kind: str, value: object, **ctx: object) -> Detail:
    """Return the detail of one broken rule, with the value that breaks it."""
    return Detail(loc=loc, msg=message, type=kind, ctx=ctx, input=value)


def format_loc(loc: Loc) -> str:
    """Return a location as messages write it: `elements.0.video_url`."""
    return ".".join(str(part) for part in loc[1:])


def quote(value: object) -> str:
    """Return a client's value in quotes, truncated."""
    text = str(value)
    return f'"{text[:QUOTE_CHARS_MAX]}…"' if len(text) > QUOTE_CHARS_MAX else f'"{text}"'


def truncate(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return the value with long texts (data URIs), lists and objects truncated: an error echoes only a part."""
    if isinstance(value, str):
        return value if len(value) <= ECHO_CHARS_MAX else f"{value[:ECHO_CHARS_MAX]}…"
    if isinstance(value, dict):
        items = islice(cast("dict[str, Any]", value).items(), ECHO_ITEMS_MAX)
        return {key[:ECHO_CHARS_MAX]: truncate(item) for key, item in items}
    if isinstance(value, list):
        return [truncate(item) for item in cast("list[Any]", value)[:ECHO_ITEMS_MAX]]
    return value


# -- responses


def show(error: FramegateError, headers: Mapping[str, str]) -> JSONResponse:
    """Return the response for an error."""
    if isinstance(error, Unprocessable):
        return JSONResponse(_details_body(error.details, 422), status_code=422, headers=dict(headers))
    if isinstance(error, InvalidRequest):
        details = [detail_of(problem, None, None) for problem in error.problems]
        return JSONResponse(_details_body(details, 422), status_code=422, headers=dict(headers))
    # A conflict of idempotency keys is final: after 409 fal's Python client would retry forever.
    is_key_conflict = isinstance(error, IdempotencyConflict)
    status = 422 if is_key_conflict else error.status
    body = error_body(error.message, status)
    kind = error.code if is_key_conflict else TYPES.get(status)
    if kind is None:
        return JSONResponse(body, status_code=status, headers=dict(headers))
    return JSONResponse(body | {"error_type": kind}, status_code=status, headers={**headers, ERROR_TYPE: kind})


def unprocessable(problems: Iterable[Problem], endpoint: Endpoint, body: object) -> Unprocessable:
    """Return the error for problems of the check, located in the fields that the client sent."""
    return Unprocessable([detail_of(problem, endpoint, body) for problem in problems])


def detail_of(problem: Problem, endpoint: Endpoint | None, body: object) -> Detail:
    """Return a problem as fal's detail."""
    source = "query" if problem.code == "invalid_parameter" else "body"
    loc = (source, *_client_path(problem.pointer, endpoint))
    kind, ctx = _type_of(problem)
    return Detail(loc=loc, msg=problem.message, type=kind, ctx=ctx, input=_value_at(body, loc))


def _type_of(problem: Problem) -> tuple[str, dict[str, Any]]:
    if problem.code in LENGTH_TYPES:
        kind, name, key = LENGTH_TYPES[problem.code]
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


def _client_path(pointer: str, endpoint: Endpoint | None) -> Iterator[str | int]:
    """Yield the client's path for a pointer into a request: `/generate_audio` may have been sent as `bgm`."""
    parts = [part for part in pointer.split("/") if part]
    if parts and parts[-1] in ("role", "kind", "name"):
        parts.pop()
    if endpoint is not None and parts and endpoint.field(parts[0]) is None:
        source = next((field for field in endpoint.fields if _becomes(field, parts[0])), None)
        parts = [source.name] if source else []
    yield from (int(part) if part.isascii() and part.isdecimal() else part for part in parts)


def _becomes(field: Field, name: str) -> bool:
    if name in ("input_references", "references"):
        return field.to.startswith("reference.")
    return field.to == name or (field.to == "frames" and name == "duration")


def _value_at(body: Any, loc: Loc) -> object:  # noqa: ANN401 - any JSON
    for part in loc[1:]:
        try:
            body = body[part]
        except (KeyError, IndexError, TypeError):
            return None
    return body


def _details_body(details: Iterable[Detail], status: int) -> dict[str, Any]:
    items = [detail.to_json() for detail in details]
    return error_body(" ".join(item["msg"] for item in items), status) | {"detail": items}


def error_body(message: str, status: int) -> dict[str, Any]:
    """Return the body of an error, with the message where each client looks for it."""
    return {"detail": message, "message": message, "error": {"message": message, "code": status}}


# -- failed jobs


@dataclass(frozen=True, slots=True)
class Failure:
    """A job's end without a video: the response of its result, and the error type in its status."""

    status: int
    body: Mapping[str, Any]
    error_type: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def failure_of(job: Job, endpoint: Endpoint | None) -> Failure | None:
    """Return why a job ended without a video; None for an open or a completed job."""
    fault = job.fault
    if fault is None or job.state is State.COMPLETED:
        return None
    if job.state is State.CANCELLED:
        return _with_sentence(499, fault, "client_cancelled")
    if job.state is State.EXPIRED:
        # Without this header the clients would repeat the request, and on /run that is a second job.
        return _with_sentence(504, fault, "request_timeout", {TIMEOUT_TYPE: "user"})
    if fault.problems:
        details = [detail_of(problem, endpoint, None) for problem in fault.problems]
        return Failure(422, _details_body(details, 422), details[0].type)
    if fault.code == "provider_refused":
        return _with_detail(400, fault, "downstream_service_error")
    retry = {NEEDS_RETRY: "1"} if fault.retryable and not fault.unsure else {}
    kind = "downstream_service_unavailable" if fault.unsure else "internal_server_error"
    return _with_detail(500, fault, kind, retry)


def _with_sentence(status: int, fault: Fault, kind: str, headers: Mapping[str, str] | None = None) -> Failure:
    body = error_body(fault.message, status) | {"error_type": kind}
    return Failure(status, body, kind, {ERROR_TYPE: kind, **(headers or {})})


def _with_detail(status: int, fault: Fault, kind: str, headers: Mapping[str, str] | None = None) -> Failure:
    detail = Detail(loc=("body",), msg=fault.message, type=kind)
    return Failure(status, _details_body([detail], status), kind, headers or {})
