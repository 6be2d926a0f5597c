"""The error tree. Each class has a code, an HTTP status, and whether a retry can help.

FramegateError                500
├── InvalidRequest            400  one Problem for every broken rule
│   └── ReferenceUnusable     400  a reference cannot be downloaded, decoded or stored; the code tells which
├── Unauthorized              401
│   └── PrivateFile           401
├── BudgetExceeded            402  the job would exceed the key's budget, or no price is known to check against it
├── Forbidden                 403
├── NotFound                  404
├── Conflict                  409
│   ├── IdempotencyConflict   409
│   └── NotReady              409
├── Gone                      410
├── TooLarge                  413
├── UnsupportedMediaType      415
├── GatewayLoop               421  the request was sent by this gateway itself
├── Busy                      429
├── Unavailable               503
│   ├── StorageFull           507  no space is left for the files or the database
│   ├── NotWritable           503  a write that the database does not accept: a bug (internal)
│   └── DataFolderBusy        503  another process uses the data folder
├── NotDelivered              502  a webhook that its receiver did not accept (internal)
├── DuplicateCreate           409  a create that another one may have repeated (internal)
├── Stale                     409  a late transition of a job that has changed (internal)
└── ProviderError             502
    ├── Refused               502  the provider rejected the order: final for this offer, nothing was charged
    ├── MovedOrigin           502  a finished file is at another origin, which does not get the account's key (internal)
    ├── NotSent               502  the order certainly did not arrive: it may be sent again
    └── OutcomeUnknown        502  the order may have been accepted: it is never resubmitted automatically

`SettingsInvalid` (`config`) and the errors that only a client sees (`client`) are branches of the same tree. The
docstring of a class is its default message.
"""

import inspect
from collections.abc import Sequence

from framegate.domain.provider_text import clean_text
from framegate.domain.requests import Problem

PROBLEMS_MAX = 32  # listed in one error


class FramegateError(Exception):
    """Internal error."""

    code = "internal_error"
    status = 500
    retryable = False
    unsure = False

    def __init__(self, message: str = "", *, code: str = "") -> None:
        self.message = message or inspect.cleandoc(type(self).__doc__ or "").split("\n", 1)[0]
        self.code = code or type(self).code
        super().__init__(self.message)


class InvalidRequest(FramegateError):
    """The request is not valid.

    An error lists at most 32 problems, and one more that says how many others there are, `omitted` included.
    """

    code = "invalid_request"
    status = 400

    def __init__(
        self,
        problems: Sequence[Problem],
        *,
        message: str = "",
        warnings: Sequence[Problem] = (),
        alternatives: Sequence[str] = (),
        omitted: int = 0,
    ) -> None:
        omitted += max(0, len(problems) - PROBLEMS_MAX)
        self.problems: tuple[Problem, ...] = tuple(problems[:PROBLEMS_MAX])
        if omitted > 0:
            rest = f"{omitted:,} more problems are not listed."
            self.problems = (*self.problems, Problem(code="more_problems", pointer="", message=rest))
        self.warnings = tuple(warnings)
        self.alternatives = tuple(alternatives)
        super().__init__(message or " ".join(problem.message for problem in self.problems))


class ReferenceUnusable(InvalidRequest):
    """A reference cannot be used.

    The code says why: `reference_private_address`, `reference_not_found`, `reference_forbidden`,
    `reference_login_wall`, `reference_is_html`, `reference_is_empty`, `reference_tracking_pixel`,
    `reference_truncated`, `reference_not_an_image`, `reference_unsupported_format`, `reference_too_large`,
    `reference_too_many_pixels`, `reference_too_complex`, `reference_too_slow`, `reference_too_many_redirects`,
    `reference_unreachable`, `reference_bad_url`, `reference_bad_data_url`, `reference_unknown_asset`.
    """

    def __init__(self, code: str, message: str, *, pointer: str = "", retryable: bool = False) -> None:
        super().__init__([Problem(code=code, pointer=pointer, message=message)])
        self.code = code
        self.retryable = retryable


class Unauthorized(FramegateError):
    """Missing or invalid API key. Send it as `Authorization: Bearer KEY`."""

    code = "unauthorized"
    status = 401


class PrivateFile(Unauthorized):
    """This file is private. Send the key of its owner."""

    code = "file_private"


class BudgetExceeded(FramegateError):
    """This job would exceed the key's budget. No order was placed."""

    code = "budget_exceeded"
    status = 402


class Forbidden(FramegateError):
    """This request is not allowed."""

    code = "forbidden"
    status = 403


class NotFound(FramegateError):
    """Not found."""

    code = "not_found"
    status = 404


class Conflict(FramegateError):
    """The current state does not allow this."""

    code = "conflict"
    status = 409


class IdempotencyConflict(Conflict):
    """This Idempotency-Key was already used with a different body. Use a new key for a new request."""

    code = "idempotency_conflict"


class NotReady(Conflict):
    """The video is not ready yet."""

    code = "not_ready"


class Gone(FramegateError):
    """The file is no longer stored."""

    code = "gone"
    status = 410


class TooLarge(FramegateError):
    """The request body is too large."""

    code = "too_large"
    status = 413


class UnsupportedMediaType(FramegateError):
    """The content type of the request body is not supported."""

    code = "unsupported_media_type"
    status = 415


class GatewayLoop(FramegateError):
    """The request was sent by this gateway itself."""

    code = "gateway_loop"
    status = 421


class Busy(FramegateError):
    """Too many requests. Try again later."""

    code = "too_many_requests"
    status = 429
    retryable = True

    def __init__(self, message: str = "", *, code: str = "", retry_after: float = 5.0) -> None:
        self.retry_after = retry_after  # seconds
        super().__init__(message, code=code)


class Unavailable(FramegateError):
    """The gateway is temporarily unavailable."""

    code = "unavailable"
    status = 503
    retryable = True


class StorageFull(Unavailable):
    """The gateway has no space left for its files. Try again later."""

    code = "storage_full"
    status = 507


class NotWritable(Unavailable):
    """The database does not accept this write; the same write would fail again."""


class DataFolderBusy(Unavailable):
    """Another Framegate process uses the data folder."""

    code = "data_folder_busy"
    retryable = False


class NotDelivered(FramegateError):
    """The webhook could not be delivered."""

    code = "webhook_not_delivered"
    status = 502
    retryable = True


class Stale(FramegateError):
    """The job has changed in the meantime."""

    code = "stale"
    status = 409


class DuplicateCreate(FramegateError):
    """A job of an identical create exists, and it is not known yet whether its client has the response."""

    code = "duplicate_create"
    status = 409

    def __init__(self, job_ids: Sequence[str], *, is_acknowledged: bool) -> None:
        self.job_ids = frozenset(job_ids)
        self.is_acknowledged = is_acknowledged  # the clients of these jobs have their responses
        super().__init__()


class ProviderError(FramegateError):
    """The request to the provider failed.

    The message may repeat what the provider sent, so control characters and the keys of all accounts are removed.
    """

    code = "provider_error"
    status = 502

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(clean_text(message), code=code)


class Refused(ProviderError):
    """The provider rejected the order. Nothing was charged."""

    code = "provider_refused"

    def __init__(self, message: str = "", *, code: str = "", status: int | None = None) -> None:
        self.status = status  # HTTP status of the provider's response; None if there is none or it does not matter
        super().__init__(message, code=code)


class MovedOrigin(ProviderError):
    """A finished file is at another origin, which does not get the account's key; `url` is its address."""

    retryable = True

    def __init__(self, message: str, url: str) -> None:
        self.url = url
        super().__init__(message)


class NotSent(ProviderError):
    """The order did not reach the provider."""

    code = "order_not_sent"
    retryable = True

    def __init__(
        self, message: str = "", *, code: str = "", retry_after: float | None = None, connect_failed: bool = False
    ) -> None:
        self.retry_after = retry_after  # seconds; None if the provider does not say
        self.connect_failed = connect_failed  # no connection was made
        super().__init__(message, code=code)


class OutcomeUnknown(ProviderError):
    """It is unknown whether the provider accepted the order. It is not resubmitted automatically."""

    code = "submit_unsure"
    unsure = True
