"""Errors in Phaseo's flat shape: `{"error": "validation_error", "reason": "…", "description": "…", …}`."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.responses import Response

from framegate.api.dialects.phaseo.responses import details
from framegate.domain.errors import FramegateError, InvalidRequest

# By our code: Phaseo's code, its reason, and its HTTP status if that differs from ours.
CODES: dict[str, tuple[str, str, int | None]] = {
    "not_found": ("not_found", "video_not_found_or_not_owned", None),
    "no_such_path": ("unsupported_model_or_endpoint", "no_such_path", None),
    "not_ready": ("not_ready", "video_not_ready", None),
    "job_failed": ("upstream_error", "video_generation_failed", 502),
    "job_cancelled": ("not_ready", "video_cancelled", None),
    "job_expired": ("not_ready", "video_expired", None),
    "gone": ("not_found", "video_deleted", 404),
    "job_over": ("not_supported", "video_cancel_requires_unfinished_status", None),
    "idempotency_conflict": ("validation_error", "idempotency_conflict", None),
    "job_not_over": ("validation_error", "video_delete_requires_terminal_status", 400),
    "too_large": ("payload_too_large", "payload_too_large", None),
    "invalid_json": ("invalid_json", "invalid_json", None),
    "model_missing": ("model_required", "model_required", None),
    "model_unknown": ("unsupported_model_or_endpoint", "model_unknown", None),
    "model_ended": ("unsupported_model_or_endpoint", "model_ended", None),
    "model_unavailable": ("unsupported_model_or_endpoint", "model_unavailable", None),
}
BY_STATUS = {
    400: "validation_error",
    401: "unauthorised",
    402: "insufficient_funds",
    403: "guardrail_blocked",
    404: "not_found",
    405: "not_supported",
    409: "not_supported",
    413: "payload_too_large",
    415: "validation_error",
    426: "websocket_upgrade_required",
    429: "key_limit_exceeded",
}
SYSTEM = frozenset({"upstream_error", "gateway_error", "key_limit_exceeded", "insufficient_funds"})
ORIGINS = {"upstream_error": "upstream", "gateway_error": "gateway"}


_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "reason": {"type": "string"},
        "description": {"type": "string"},
        "status_code": {"type": "integer"},
        "error_type": {"type": "string", "enum": ["user", "system"]},
        "error_origin": {"type": "string", "enum": ["user", "gateway", "upstream"]},
        "details": {"type": "array", "items": {"type": "object"}},
        "alternatives": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["error", "reason", "description", "status_code", "error_type", "error_origin"],
}
_CONTENT = {"application/json": {"schema": _SCHEMA}}
# The description of errors in the OpenAPI document.
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "What is wrong, with every broken rule in `details`.", "content": _CONTENT}
}
FAILED: dict[int | str, dict[str, Any]] = {502: {"description": "The job failed.", "content": _CONTENT}}


def show(error: FramegateError, headers: Mapping[str, str]) -> Response:
    """Return the response for an error; `description` has the whole message."""
    code = error.code
    if isinstance(error, InvalidRequest) and error.code == InvalidRequest.code and error.problems:
        code = next((problem.code for problem in error.problems if problem.code in CODES), error.problems[0].code)
    vendor_code, reason, vendor_status = CODES.get(code, (BY_STATUS.get(error.status, "gateway_error"), code, None))
    status = vendor_status or error.status
    body: dict[str, object] = {
        "error": vendor_code,
        "reason": reason,
        "description": error.message,
        "status_code": status,
        "error_type": "system" if vendor_code in SYSTEM else "user",
        "error_origin": ORIGINS.get(vendor_code, "user"),
    }
    if isinstance(error, InvalidRequest):
        body["details"] = details(error.problems)
        if error.alternatives:
            body["alternatives"] = list(error.alternatives)
    return JSONResponse(body, status_code=status, headers={**headers, "Cache-Control": "no-store"})
