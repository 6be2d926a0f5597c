"""Errors that only a client sees, and the exception for an error response of the gateway.

FramegateError
├── AddressInvalid  the gateway's address is not valid
├── KeyInvalid      the gateway's key cannot be sent in an HTTP header
├── Unreachable     the gateway did not return a complete response
├── WaitTimeout     the job is still running when the time to wait has passed
├── BrokenVideo     the downloaded file does not match the gateway's checksum
└── JobEnded        the job ended without a video (`models`)
    ├── JobFailed
    ├── JobCancelled
    └── JobExpired
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from framegate.domain import Problem, errors
from framegate.domain.errors import FramegateError, InvalidRequest


class AddressInvalid(FramegateError):
    """The gateway's address is not valid."""

    code = "address_invalid"


class KeyInvalid(FramegateError):
    """The gateway's key cannot be sent in an HTTP header."""

    code = "key_invalid"


class Unreachable(FramegateError):
    """The gateway cannot be reached."""

    code = "unreachable"
    status = 503
    retryable = True


class WaitTimeout(FramegateError):
    """The job has not ended yet. It is still running; wait for it again at any time."""

    code = "wait_timeout"
    retryable = True


class BrokenVideo(FramegateError):
    """The downloaded file does not match the gateway's checksum."""

    code = "broken_download"
    retryable = True


def _subclasses(root: type[FramegateError]) -> Iterator[type[FramegateError]]:
    yield root
    for subclass in root.__subclasses__():
        yield from _subclasses(subclass)


ERRORS_BY_CODE = {
    error.code: error
    for error in _subclasses(FramegateError)
    if error.__module__ == errors.__name__ and not issubclass(error, InvalidRequest)
}
ERRORS_BY_STATUS = {
    401: errors.Unauthorized,
    402: errors.BudgetExceeded,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.Gone,
    413: errors.TooLarge,
    415: errors.UnsupportedMediaType,
    429: errors.Busy,
    502: errors.ProviderError,
    503: errors.Unavailable,
    507: errors.StorageFull,
}


def parse_problems(items: object) -> tuple[Problem, ...]:
    """Read the problems of a JSON response."""
    if not isinstance(items, list):
        return ()
    rows = [cast("Mapping[str, Any]", item) for item in cast("list[object]", items) if isinstance(item, Mapping)]
    return tuple(
        Problem(
            code=str(row.get("code", "")),
            pointer=str(row.get("pointer", "")),
            message=str(row.get("message", "")),
            allowed=row.get("allowed"),
            nearest=row.get("nearest"),
        )
        for row in rows
    )


def error_from_response(status: int, body: object) -> FramegateError:
    """The exception for an error response: that of its code, or else of its HTTP status."""
    error: Mapping[str, Any] = {}
    if isinstance(body, Mapping):
        inner = cast("Mapping[str, Any]", body).get("error")
        error = cast("Mapping[str, Any]", inner) if isinstance(inner, Mapping) else {"message": inner}
    metadata: Mapping[str, Any] = error.get("metadata") or {}
    message = str(error.get("message") or f"The gateway responded with HTTP {status} and no message.")
    code = str(metadata.get("error_type") or "")
    if status in (400, 422):
        invalid = InvalidRequest(
            parse_problems(metadata.get("problems")),
            message=message,
            warnings=parse_problems(metadata.get("warnings")),
            alternatives=[str(name) for name in metadata.get("alternatives") or ()],
        )
        invalid.code = code or invalid.code
        return invalid
    error_class = ERRORS_BY_CODE.get(code) or ERRORS_BY_STATUS.get(status, FramegateError)
    return error_class(message, code=code)
