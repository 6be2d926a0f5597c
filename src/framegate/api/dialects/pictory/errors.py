"""Errors as Pictory puts them: a message, with the fields of a body that is refused, or the envelope of a job."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse
from starlette.responses import Response

from framegate.api.dialects.pictory.responses import fields
from framegate.domain.errors import FramegateError, InvalidRequest, NotFound, Unauthorized

JOB_NOT_FOUND = {"error_code": "5000", "error_message": "JOB_NOT_FOUND"}

NO_KEY = "The key is missing or not known here. Send it alone in `Authorization`, with no `Bearer` before it."


def show(error: FramegateError, headers: Mapping[str, str]) -> Response:
    """An error as Pictory's users read it."""
    body: dict[str, object]
    if isinstance(error, InvalidRequest):
        body = {"code": "INVALID_REQUEST_BODY", "message": error.message, "fields": fields(error.problems)}
        if error.alternatives:
            body["alternatives"] = list(error.alternatives)
    elif isinstance(error, Unauthorized):
        known = error.message if error.code != Unauthorized.code else NO_KEY
        body = {"message": "Unauthorized", "detail": known}
    elif isinstance(error, NotFound) and error.code == NotFound.code:
        body = {"success": False, "data": {**JOB_NOT_FOUND, "detail": error.message}}
    else:
        body = {"code": error.code.upper(), "message": error.message}
    return JSONResponse(body, status_code=error.status, headers=dict(headers))
