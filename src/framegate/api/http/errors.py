"""Error handlers of every dialect: each exception becomes an error of our tree, shown in the dialect's shape."""

import logging
import math
from collections.abc import Callable, Mapping
from typing import cast

from fastapi.exceptions import RequestValidationError
from pydantic_core import ErrorDetails
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from framegate.api.http.body import UnsupportedCoding
from framegate.api.http.validation import rule_of
from framegate.domain import Problem
from framegate.domain.errors import Busy, FramegateError, InvalidRequest, NotFound
from framegate.storage.disk import disk_error
from framegate.telemetry.logging import REQUEST_ID

_log = logging.getLogger(__name__)

Show = Callable[[FramegateError, Mapping[str, str]], Response]
NO_SUCH_PATH = "no_such_path"
UNAVAILABLE_RETRY_SECONDS = 5
CLIENT_CLOSED_REQUEST = 499


class MethodNotAllowed(FramegateError):
    """The method is not allowed for this path."""

    code = "method_not_allowed"
    status = 405


class InternalError(FramegateError):
    """Internal error in Framegate. Its log has the details."""


class OtherHttpError(FramegateError):
    """The request cannot be served."""

    code = "http_error"


def install(app: Starlette, show: Show, *, mounts: Mapping[str, Show] | None = None) -> None:
    """Answer every error of an application by `show`, which receives the headers that belong to the error.

    `mounts` has the format of applications mounted below it: a path with a line break below one does not reach it.
    """

    def on_framegate_error(_: Request, error: Exception) -> Response:
        failure = cast("FramegateError", error)
        return show(failure, _headers(failure))

    def on_invalid_parameter(_: Request, error: Exception) -> Response:
        problems = [_invalid_parameter(detail) for detail in cast("RequestValidationError", error).errors()]
        return show(InvalidRequest(problems), {})

    def on_http_exception(request: Request, error: Exception) -> Response:
        failure = cast("HTTPException", error)
        if failure.status_code == 405:
            allowed = ", ".join(_methods_at(request))
            message = f"{request.method} is not allowed for this path; allowed: {allowed}."
            return show(MethodNotAllowed(message), {"Allow": allowed})
        if failure.status_code == 404:
            path = str(request.scope["path"])
            show_there = next((other for mount, other in (mounts or {}).items() if path.startswith(f"{mount}/")), show)
            return show_there(NotFound(f"Not found: {request.url.path}", code=NO_SUCH_PATH), {})
        other = OtherHttpError(str(failure.detail))
        other.status = failure.status_code
        return show(other, failure.headers or {})

    def on_client_disconnect(_: Request, __: Exception) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    def on_os_error(_: Request, error: Exception) -> Response:
        """A full or missing disk is no bug; any other error of the operating system is one."""
        failure = disk_error(cast("OSError", error))
        if failure is None:
            raise error
        _log.error("Data folder unavailable: %s", error)
        return show(failure, _headers(failure))

    def on_internal_error(_: Request, __: Exception) -> Response:
        """The server logs the traceback; the response says nothing of it."""
        request_id = REQUEST_ID.get()
        name = f" under the request id {request_id}" if request_id else ""
        return show(InternalError(f"Internal error in Framegate. Its log has the details{name}."), {})

    app.add_exception_handler(FramegateError, on_framegate_error)
    app.add_exception_handler(RequestValidationError, on_invalid_parameter)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(ClientDisconnect, on_client_disconnect)
    app.add_exception_handler(OSError, on_os_error)
    app.add_exception_handler(Exception, on_internal_error)


def _invalid_parameter(detail: ErrorDetails) -> Problem:
    source, *path = detail["loc"]  # "query", "status", 0
    pointer = "".join(f"/{part}" for part in path)
    message = f"The {source} parameter `{path[0]}` {rule_of(detail)}."
    return Problem(code="invalid_parameter", pointer=pointer, message=message)


def _headers(error: FramegateError) -> dict[str, str]:
    if isinstance(error, Busy):
        return {"Retry-After": str(math.ceil(error.retry_after))}
    if isinstance(error, UnsupportedCoding):
        return {"Accept-Encoding": "identity"}
    return {"Retry-After": str(UNAVAILABLE_RETRY_SECONDS)} if error.status in (503, 507) else {}


def _methods_at(request: Request) -> list[str]:
    """Return the methods of the first route path that matches: `/videos/check` before `/videos/{job_id}`."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    path = next((route.path for route in routes if route.matches(request.scope)[0] is not Match.NONE), None)
    return sorted({method for route in routes if route.path == path for method in route.methods or ()})
