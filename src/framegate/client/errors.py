"""What the SDK raises: the gate's own error tree, and what only a client can see.

FramegateError
├── AddressInvalid the gate's address is none
├── KeyInvalid     the gate's key cannot be sent as it is
├── Unreachable    no whole answer came from the gate
├── WaitTimeout    the job goes on, the waiting is over
├── BrokenVideo    the file that arrived is not the file that the gate keeps
└── JobEnded       the job is over, without a video
    ├── JobFailed
    ├── JobCancelled
    └── JobExpired
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from framegate.domain import Problem, Status, errors
from framegate.domain.errors import FramegateError, InvalidRequest

if TYPE_CHECKING:
    from framegate.client.models import JobView


class AddressInvalid(FramegateError):
    """That is no address of a gate."""

    code = "address_invalid"


class KeyInvalid(FramegateError):
    """That cannot be a gate's key."""

    code = "key_invalid"


class Unreachable(FramegateError):
    """The gate cannot be reached."""

    code = "unreachable"
    status = 503
    retryable = True


class WaitTimeout(FramegateError):
    """The job is not over yet. It goes on; wait for it again whenever you like."""

    code = "wait_timeout"
    retryable = True


class BrokenVideo(FramegateError):
    """The file that arrived is not the one that the gate keeps."""

    code = "broken_download"
    retryable = True


class JobEnded(FramegateError):
    """The job ended without a video."""

    code = "job_ended"

    def __init__(self, job: "JobView") -> None:
        self.job = job
        self.problems = job.problems
        super().__init__(job.error or "", code=job.error_code or "")


class JobFailed(JobEnded):
    """The job failed."""

    code = "job_failed"


class JobCancelled(JobEnded):
    """The job was cancelled."""

    code = "cancelled"


class JobExpired(JobEnded):
    """The job did not end before its deadline."""

    code = "expired"


ENDS: Mapping[Status, type[JobEnded]] = {
    Status.FAILED: JobFailed,
    Status.CANCELLED: JobCancelled,
    Status.EXPIRED: JobExpired,
}


def _tree(root: type[FramegateError]) -> Iterator[type[FramegateError]]:
    yield root
    for branch in root.__subclasses__():
        yield from _tree(branch)


_PLAIN = [
    kind
    for kind in _tree(FramegateError)
    if kind.__module__ == errors.__name__ and not issubclass(kind, InvalidRequest)
]
BY_CODE = {kind.code: kind for kind in _PLAIN}
BY_STATUS = {
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
}


def problems(items: object) -> tuple[Problem, ...]:
    """Read problems out of a JSON answer."""
    if not isinstance(items, list):
        return ()
    found = [cast("Mapping[str, Any]", item) for item in cast("list[object]", items) if isinstance(item, Mapping)]
    return tuple(
        Problem(
            code=str(item.get("code", "")),
            pointer=str(item.get("pointer", "")),
            message=str(item.get("message", "")),
            allowed=item.get("allowed"),
            nearest=item.get("nearest"),
        )
        for item in found
    )


def error_from_response(status: int, body: object) -> FramegateError:
    """Turn an error answer into the exception of its code, else of its HTTP status."""
    error: Mapping[str, Any] = {}
    if isinstance(body, Mapping):
        inner = cast("Mapping[str, Any]", body).get("error")
        error = cast("Mapping[str, Any]", inner) if isinstance(inner, Mapping) else {"message": inner}
    extra: Mapping[str, Any] = error.get("metadata") or {}
    message = str(error.get("message") or f"The gate answered HTTP {status} without saying why.")
    code = str(extra.get("error_type") or "")
    if status in (400, 422):
        broken = problems(extra.get("problems"))
        refusal = InvalidRequest(
            broken,
            message=message,
            warnings=problems(extra.get("warnings")),
            alternatives=[str(name) for name in extra.get("alternatives") or ()],
        )
        refusal.code = code or refusal.code
        return refusal
    kind = BY_CODE.get(code) or BY_STATUS.get(status, FramegateError)
    return kind(message, code=code)
