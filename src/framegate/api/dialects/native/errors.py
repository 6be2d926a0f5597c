"""Errors in OpenRouter's shape: `{"error": {"code": 400, "message": "…", "metadata": {…}}}`."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.responses import Response

from framegate.api.dialects.native.responses import ErrorAnswer, problem_answers
from framegate.api.http.errors import NO_SUCH_PATH
from framegate.domain.errors import FramegateError, InvalidRequest, NotFound

ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorAnswer, "description": "What is wrong, and valid alternatives."}
}


def operation_id(route: APIRoute) -> str:
    """Return the name of an operation in the OpenAPI description: that of its function."""
    return route.name


def show(error: FramegateError, headers: Mapping[str, str]) -> Response:
    """Return the response for an error; empty metadata is left out."""
    metadata: dict[str, object] = {"error_type": NotFound.code if error.code == NO_SUCH_PATH else error.code}
    if isinstance(error, InvalidRequest):
        metadata["problems"] = [problem.sent() for problem in problem_answers(error.problems)]
        metadata["warnings"] = [warning.sent() for warning in problem_answers(error.warnings)]
        metadata["alternatives"] = list(error.alternatives)
    metadata = {key: value for key, value in metadata.items() if value}
    body = {"error": {"code": error.status, "message": error.message, "metadata": metadata}}
    challenge = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    return JSONResponse(body, status_code=error.status, headers={**challenge, **headers})
