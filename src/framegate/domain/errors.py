"""What can go wrong, as a small tree.

FramegateError                    code, HTTP meaning, retryable, unsure
├── InvalidRequest           400  one Problem for every broken rule
│   └── ReferenceUnusable    400  a reference that cannot be fetched, decoded or kept; the code tells which
├── Unauthorized             401
├── BudgetExceeded           402  the key's budget does not reach; or no price is known to hold against it
├── Forbidden                403
├── NotFound                 404
├── Conflict                 409
│   ├── IdempotencyConflict  409
│   └── NotReady             409
├── Gone                     410
├── TooLarge                 413
├── UnsupportedMediaType     415
├── Busy                     429
├── Unavailable              503
│   └── DataFolderBusy       503  another process owns the data folder
├── NotDelivered             502  a webhook that its receiver did not take (inside only)
├── Stale                    409  a late move of a job that has moved on (inside only)
└── ProviderError            502
    ├── Refused              502  the provider said no: final for this offer, nothing was spent
    ├── NotSent              502  the order certainly never arrived: may be sent again
    └── Unsure               502  nobody knows: never sent again by itself

An error's docstring is its message where none is given.
"""

import inspect
from collections.abc import Sequence

from framegate.domain import Problem


class FramegateError(Exception):
    """Something went wrong in Framegate."""

    code = "internal_error"
    status = 500
    retryable = False
    unsure = False

    def __init__(self, message: str = "", *, code: str = "") -> None:
        self.message = message or inspect.cleandoc(type(self).__doc__ or "").split("\n", 1)[0]
        self.code = code or type(self).code
        super().__init__(self.message)


class InvalidRequest(FramegateError):
    """The request breaks a rule."""

    code = "invalid_request"
    status = 400

    def __init__(
        self,
        problems: Sequence[Problem],
        *,
        message: str = "",
        warnings: Sequence[Problem] = (),
        alternatives: Sequence[str] = (),
    ) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        self.alternatives = tuple(alternatives)
        super().__init__(message or " ".join(problem.message for problem in self.problems))


class ReferenceUnusable(InvalidRequest):
    """A reference cannot be used.

    The code says why: `reference_private_address`, `reference_not_found`, `reference_forbidden`,
    `reference_login_wall`, `reference_is_html`, `reference_is_empty`, `reference_tracking_pixel`,
    `reference_truncated`, `reference_not_an_image`, `reference_unsupported_format`, `reference_too_large`,
    `reference_too_many_pixels`, `reference_too_slow`, `reference_too_many_redirects`, `reference_unreachable`,
    `reference_bad_url`, `reference_bad_data_url`, `reference_unknown_asset`.
    """

    def __init__(self, code: str, message: str, *, pointer: str = "", retryable: bool = False) -> None:
        super().__init__([Problem(code=code, pointer=pointer, message=message)])
        self.code = code
        self.retryable = retryable


class Unauthorized(FramegateError):
    """The key is missing or not known here. Send it as `Authorization: Bearer KEY`."""

    code = "unauthorized"
    status = 401


class BudgetExceeded(FramegateError):
    """The key's budget does not reach for this job. Nothing was made."""

    code = "budget_exceeded"
    status = 402


class Forbidden(FramegateError):
    """This request may not be made from there."""

    code = "forbidden"
    status = 403


class NotFound(FramegateError):
    """There is no such thing here."""

    code = "not_found"
    status = 404


class Conflict(FramegateError):
    """That cannot be done in the present state."""

    code = "conflict"
    status = 409


class IdempotencyConflict(Conflict):
    """This Idempotency-Key was used before with another body. Use a new key for a new request."""

    code = "idempotency_conflict"


class NotReady(Conflict):
    """The video is not ready yet."""

    code = "not_ready"


class Gone(FramegateError):
    """The file was here, and is no longer kept."""

    code = "gone"
    status = 410


class TooLarge(FramegateError):
    """The body is larger than is taken here."""

    code = "too_large"
    status = 413


class UnsupportedMediaType(FramegateError):
    """The body's content type is not taken here."""

    code = "unsupported_media_type"
    status = 415


class Busy(FramegateError):
    """Too many requests at once. Try again later."""

    code = "too_many_requests"
    status = 429
    retryable = True

    def __init__(self, message: str = "", *, code: str = "", retry_after: float = 5.0) -> None:
        self.retry_after = retry_after  # seconds
        super().__init__(message, code=code)


class Unavailable(FramegateError):
    """The gate cannot serve this now."""

    code = "unavailable"
    status = 503
    retryable = True


class DataFolderBusy(Unavailable):
    """Another Framegate process owns the data folder."""

    code = "data_folder_busy"
    retryable = False


class NotDelivered(FramegateError):
    """The webhook could not be handed over."""

    code = "webhook_not_delivered"
    status = 502
    retryable = True


class Stale(FramegateError):
    """The job has moved on in the meantime."""

    code = "stale"
    status = 409


class ProviderError(FramegateError):
    """The provider could not be used."""

    code = "provider_error"
    status = 502


class Refused(ProviderError):
    """The provider refused the order. Nothing was spent."""

    code = "provider_refused"

    def __init__(self, message: str = "", *, code: str = "", status: int | None = None) -> None:
        self.status = status  # what the service answered; None where it was not asked, or that does not matter
        super().__init__(message, code=code)


class MovedOrigin(ProviderError):
    """A finished file lies at another origin, at `url`: an account's key does not go there."""

    retryable = True

    def __init__(self, message: str, url: str) -> None:
        self.url = url
        super().__init__(message)


class NotSent(ProviderError):
    """The order did not reach the provider."""

    code = "order_not_sent"
    retryable = True

    def __init__(
        self, message: str = "", *, code: str = "", retry_after: float | None = None, unreached: bool = False
    ) -> None:
        self.retry_after = retry_after  # seconds; None where the provider does not say
        self.connect_failed = unreached  # nobody was there to take it
        super().__init__(message, code=code)


class OutcomeUnknown(ProviderError):
    """It is not known whether the provider took the order, so it is not sent again by itself."""

    code = "submit_unsure"
    unsure = True
