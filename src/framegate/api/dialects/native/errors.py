"""Errors in OpenRouter's shape: `{"error": {"code": 400, "message": "…", "metadata": {…}}}`, whatever went wrong."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route

from framegate.api.dialects.native.requests import NOT_PLACES
from framegate.api.dialects.native.responses import ErrorAnswer, problem_answers
from framegate.api.http.validation import rule_of
from framegate.domain import Problem
from framegate.domain.errors import Busy, FramegateError, InvalidRequest

REFERENCE_FORM = '{"type": "image_url", "image_url": {"url": "https://…"}}'

ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorAnswer, "description": "What is wrong, and what would do."}
}

Shape = TypeVar("Shape", bound=BaseModel)


def install(app: Starlette) -> None:
    """Make every error of this application leave in the one shape."""
    app.add_exception_handler(FramegateError, _on_gate_error)
    app.add_exception_handler(RequestValidationError, _on_bad_parameter)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(ClientDisconnect, _on_gone_client)
    app.add_exception_handler(Exception, _on_the_unforeseen)


def operation_id(route: APIRoute) -> str:
    """The name of an operation in the OpenAPI description: that of its function."""
    return route.name


def answer(
    status: int, message: str, error_type: str, *, headers: Mapping[str, str] | None = None, **metadata: object
) -> JSONResponse:
    """An error answer; `metadata` beside `error_type` is left out where it is empty."""
    kept = {"error_type": error_type} | {key: value for key, value in metadata.items() if value}
    body = {"error": {"code": status, "message": message, "metadata": kept}}
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))


def problems_of(errors: Iterable[ErrorDetails], shape: type[BaseModel], body: object) -> list[Problem]:
    """What pydantic found wrong with a body, each thing once, said in our words and with its JSON pointer."""
    found = [_problem(error, shape) for error in errors]
    if isinstance(body, dict):
        return found
    return [Problem(code="wrong_type", pointer="", message="The body must be a JSON object.")]


def validated(shape: type[Shape], body: object) -> Shape:
    """The body in this shape. Raises `InvalidRequest` with every rule that it breaks."""
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        raise InvalidRequest(problems_of(error.errors(include_url=False), shape, body)) from error


def _problem(error: ErrorDetails, shape: type[BaseModel]) -> Problem:
    place = [part for part in error["loc"] if part not in NOT_PLACES]
    name = ".".join(str(part) for part in place) or "body"
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)
    kind = error["type"]
    if kind == "missing":
        return Problem(code="missing", pointer=pointer, message=f"`{name}` is required.")
    if kind == "extra_forbidden":
        return _unknown_field(name, pointer, place, shape)
    if kind.startswith("union_tag"):
        return Problem(
            code="wrong_type",
            pointer=pointer,
            message=f"`{name}` must be an object such as {REFERENCE_FORM}; its type is one of the three.",
            allowed=["image_url", "video_url", "audio_url"],
        )
    if kind in ("model_type", "dict_type"):
        return Problem(code="wrong_type", pointer=pointer, message=f"`{name}` must be a JSON object.")
    return Problem(code="invalid_value", pointer=pointer, message=f"`{name}` {rule_of(error)}.")


def _unknown_field(name: str, pointer: str, place: Sequence[str | int], shape: type[BaseModel]) -> Problem:
    known = list(shape.model_fields) if len(place) == 1 else ["type", "role", "name", "url", "options", "order", "only"]
    close = difflib.get_close_matches(str(place[-1]), known, n=1)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    message = f"There is no field `{name}` here.{hint}"
    return Problem(code="unknown_field", pointer=pointer, message=message, nearest=close[0] if close else None)


def _on_gate_error(_: Request, error: Exception) -> Response:
    error = cast("FramegateError", error)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    if isinstance(error, Busy):
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    elif error.status == 503:
        headers["Retry-After"] = "5"
    if not isinstance(error, InvalidRequest):
        return answer(error.status, error.message, error.code, headers=headers)
    return answer(
        error.status,
        error.message,
        error.code,
        problems=[problem.sent() for problem in problem_answers(error.problems)],
        warnings=[warning.sent() for warning in problem_answers(error.warnings)],
        alternatives=list(error.alternatives),
    )


def _on_bad_parameter(_: Request, error: Exception) -> Response:
    problems = [
        Problem(
            code="invalid_parameter",
            pointer="",
            message=f"The {one['loc'][0]} parameter `{one['loc'][1]}` {rule_of(one)}.",
        )
        for one in cast("RequestValidationError", error).errors()
    ]
    return _on_gate_error(_, InvalidRequest(problems))


def _on_http(request: Request, error: Exception) -> Response:
    error = cast("HTTPException", error)
    if error.status_code == 405:
        allowed = ", ".join(_methods_at(request))
        message = f"{request.method} is not allowed here; allowed: {allowed}."
        return answer(405, message, "method_not_allowed", headers={"Allow": allowed})
    if error.status_code == 404:
        return answer(404, f"There is nothing at {request.url.path}.", "not_found")
    return answer(error.status_code, str(error.detail), "http_error", headers=error.headers)


def _methods_at(request: Request) -> list[str]:
    """The methods of the first path that fits: `/videos/check` is that, though it would do for a job's id too."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    path = next((route.path for route in routes if route.matches(request.scope)[0] is not Match.NONE), None)
    return sorted({method for route in routes if route.path == path for method in route.methods or ()})


def _on_gone_client(_: Request, __: Exception) -> Response:
    return Response(status_code=499)


def _on_the_unforeseen(_: Request, __: Exception) -> Response:
    """The server logs the traceback; the client is told nothing of it."""
    return answer(500, "Something went wrong in Framegate. Its log has the details.", "internal_error")
