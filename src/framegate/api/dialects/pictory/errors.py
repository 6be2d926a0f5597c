"""Errors in Pictory's form: a message with the fields of an invalid body, or the envelope of a job."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.responses import Response

from framegate.api.dialects.pictory.responses import fields
from framegate.domain.errors import FramegateError, InvalidRequest, NotFound, Unauthorized

JOB_NOT_FOUND = {"error_code": "5000", "error_message": "JOB_NOT_FOUND"}
INVALID_KEY = "Missing or invalid API key. Send it alone in `Authorization`, without `Bearer` before it."


# The description of errors in the OpenAPI document.
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "What is wrong. An invalid body has its `fields`, an unknown job the envelope of a job.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "code": {"type": "string"},
                        "message": {"type": "string"},
                        "detail": {"type": "string"},
                        "fields": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {"name": {"type": "string"}, "errors": {"type": "string"}},
                                "required": ["name", "errors"],
                            },
                        },
                        "alternatives": {"type": "array", "items": {"type": "string"}},
                        "success": {"type": "boolean"},
                        "data": {"type": "object"},
                    },
                }
            }
        },
    }
}


def show(error: FramegateError, headers: Mapping[str, str]) -> Response:
    """Return the response for an error."""
    body: dict[str, object]
    if isinstance(error, InvalidRequest):
        body = {"code": "INVALID_REQUEST_BODY", "message": error.message, "fields": fields(error.problems)}
        if error.alternatives:
            body["alternatives"] = list(error.alternatives)
    elif isinstance(error, Unauthorized):
        detail = error.message if error.code != Unauthorized.code else INVALID_KEY
        body = {"message": "Unauthorized", "detail": detail}
    elif isinstance(error, NotFound) and error.code == NotFound.code:
        body = {"success": False, "data": {**JOB_NOT_FOUND, "detail": error.message}}
    else:
        body = {"code": error.code.upper(), "message": error.message}
    return JSONResponse(body, status_code=error.status, headers=dict(headers))
