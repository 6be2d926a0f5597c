"""Errors in Phaseo's flat shape: `{"error": "validation_error", "reason": "…", "description": "…", …}`."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse
from starlette.responses import Response

from framegate.api.dialects.phaseo.responses import details
from framegate.domain.errors import FramegateError, InvalidRequest

# Phaseo's code, the reason it gives, and its HTTP status where that is not ours; by our own code.
WORDS: dict[str, tuple[str, str, int | None]] = {
    "not_found": ("not_found", "video_not_found_or_not_owned", None),
    "no_such_path": ("unsupported_model_or_endpoint", "no_such_path", None),
    "not_ready": ("not_ready", "video_not_ready", None),
    "job_failed": ("upstream_error", "video_generation_failed", 502),
    "job_cancelled": ("not_ready", "video_cancelled", None),
    "job_expired": ("not_ready", "video_expired", None),
    "gone": ("not_found", "video_deleted", 404),
    "job_over": ("validation_error", "video_cancel_requires_unfinished_status", 400),
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


def show(error: FramegateError, headers: Mapping[str, str]) -> Response:
    """An error as Phaseo's clients read it; `description` says all of it in one text."""
    ours = error.code
    if isinstance(error, InvalidRequest) and error.code == InvalidRequest.code and error.problems:
        ours = next((problem.code for problem in error.problems if problem.code in WORDS), error.problems[0].code)
    word, reason, other = WORDS.get(ours, (BY_STATUS.get(error.status, "gateway_error"), ours, None))
    status = other or error.status
    body: dict[str, object] = {
        "error": word,
        "reason": reason,
        "description": error.message,
        "status_code": status,
        "error_type": "system" if word in SYSTEM else "user",
        "error_origin": ORIGINS.get(word, "user"),
    }
    if isinstance(error, InvalidRequest):
        body["details"] = details(error.problems)
        if error.alternatives:
            body["alternatives"] = list(error.alternatives)
    return JSONResponse(body, status_code=status, headers={**headers, "Cache-Control": "no-store"})
