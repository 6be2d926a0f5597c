"""Whatever goes wrong in a dialect becomes one of our errors, which the dialect then says in its own shape."""

import math
from collections.abc import Callable, Mapping
from typing import cast

from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from framegate.api.http.validation import rule_of
from framegate.domain import Problem
from framegate.domain.errors import Busy, FramegateError, InvalidRequest, NotFound

Show = Callable[[FramegateError, Mapping[str, str]], Response]


class MethodNotAllowed(FramegateError):
    """That is not done by this method here."""

    code = "method_not_allowed"
    status = 405


class Unforeseen(FramegateError):
    """Something went wrong in Framegate. Its log has the details."""


class OtherFailure(FramegateError):
    """The request cannot be served."""

    code = "http_error"


def install(app: Starlette, show: Show) -> None:
    """Make every error of this application leave as `show` puts it; it is handed the headers that go with it."""

    def on_gate_error(_: Request, error: Exception) -> Response:
        failure = cast("FramegateError", error)
        return show(failure, _headers(failure))

    def on_bad_parameter(_: Request, error: Exception) -> Response:
        problems = [
            Problem(
                code="invalid_parameter",
                pointer=f"/{one['loc'][-1]}",
                message=f"The {one['loc'][0]} parameter `{one['loc'][-1]}` {rule_of(one)}.",
            )
            for one in cast("RequestValidationError", error).errors()
        ]
        return show(InvalidRequest(problems), {})

    def on_http(request: Request, error: Exception) -> Response:
        failure = cast("HTTPException", error)
        if failure.status_code == 405:
            allowed = ", ".join(_methods_at(request))
            return show(
                MethodNotAllowed(f"{request.method} is not allowed here; allowed: {allowed}."), {"Allow": allowed}
            )
        if failure.status_code == 404:
            return show(NotFound(f"There is nothing at {request.url.path}.", code="no_such_path"), {})
        other = OtherFailure(str(failure.detail))
        other.status = failure.status_code
        return show(other, failure.headers or {})

    def on_gone_client(_: Request, __: Exception) -> Response:
        return Response(status_code=499)

    def on_the_unforeseen(_: Request, __: Exception) -> Response:
        """The server logs the traceback; the client is told nothing of it."""
        return show(Unforeseen(), {})

    app.add_exception_handler(FramegateError, on_gate_error)
    app.add_exception_handler(RequestValidationError, on_bad_parameter)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(ClientDisconnect, on_gone_client)
    app.add_exception_handler(Exception, on_the_unforeseen)


def _headers(error: FramegateError) -> dict[str, str]:
    if isinstance(error, Busy):
        return {"Retry-After": str(math.ceil(error.retry_after))}
    return {"Retry-After": "5"} if error.status == 503 else {}


def _methods_at(request: Request) -> list[str]:
    """The methods of the first path that fits: a fixed path is that, though it would do for a job's id too."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    path = next((route.path for route in routes if route.matches(request.scope)[0] is not Match.NONE), None)
    return sorted({method for route in routes if route.path == path for method in route.methods or ()})
