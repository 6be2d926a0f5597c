"""Self-hosted gateway for reference-to-video APIs: one endpoint, many providers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framegate.client import (
        AddressInvalid,
        Asset,
        AsyncFramegate,
        AsyncJob,
        AsyncVideo,
        BrokenVideo,
        CheckResult,
        Framegate,
        Job,
        JobCancelled,
        JobEnded,
        JobExpired,
        JobFailed,
        JobView,
        KeyInvalid,
        ModelRecord,
        ReferenceInput,
        ReferenceSource,
        Unreachable,
        Video,
        VideoRequest,
        WaitTimeout,
    )
    from framegate.domain import Event, Problem, Status
    from framegate.domain.errors import (
        BudgetExceeded,
        Busy,
        Conflict,
        Forbidden,
        FramegateError,
        Gone,
        IdempotencyConflict,
        InvalidRequest,
        NotFound,
        NotReady,
        ProviderError,
        TooLarge,
        Unauthorized,
        Unavailable,
        UnsupportedMediaType,
    )

    __version__: str

__all__ = [
    "AddressInvalid",
    "Asset",
    "AsyncFramegate",
    "AsyncJob",
    "AsyncVideo",
    "BrokenVideo",
    "BudgetExceeded",
    "Busy",
    "CheckResult",
    "Conflict",
    "Event",
    "Forbidden",
    "Framegate",
    "FramegateError",
    "Gone",
    "IdempotencyConflict",
    "InvalidRequest",
    "Job",
    "JobCancelled",
    "JobEnded",
    "JobExpired",
    "JobFailed",
    "JobView",
    "KeyInvalid",
    "ModelRecord",
    "NotFound",
    "NotReady",
    "Problem",
    "ProviderError",
    "ReferenceInput",
    "ReferenceSource",
    "Status",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "UnsupportedMediaType",
    "Video",
    "VideoRequest",
    "WaitTimeout",
    "__version__",
]

_DOMAIN = frozenset({"Event", "Problem", "Status"})
_ERRORS = frozenset(
    {
        *("BudgetExceeded", "Busy", "Conflict", "Forbidden", "FramegateError", "Gone", "IdempotencyConflict"),
        *("InvalidRequest", "NotFound", "NotReady", "ProviderError", "TooLarge", "Unauthorized", "Unavailable"),
        "UnsupportedMediaType",
    }
)
_RENAMED = {"AsyncGate": "AsyncFramegate", "Gate": "Framegate", "GateError": "FramegateError"}  # until 0.3.0


def __getattr__(name: str) -> object:
    """Import on first use, so that `import framegate` stays cheap."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - reads the disk

        return version("framegate")
    if name in _RENAMED:
        import warnings  # noqa: PLC0415 - only for former names

        new_name = _RENAMED[name]
        warnings.warn(f"framegate.{name} is now framegate.{new_name}", DeprecationWarning, stacklevel=2)
        name = new_name
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - loads the HTTP library

    module = "domain" if name in _DOMAIN else "domain.errors" if name in _ERRORS else "client"
    return getattr(import_module(f"framegate.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
