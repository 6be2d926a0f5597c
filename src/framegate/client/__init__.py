"""The SDK: `Framegate` and `AsyncFramegate`, clients of the native API.

client = Framegate()
job = client.videos.create(prompt="a slow push-in at dusk", references=["front.jpg", Path("side.png")])
job.wait().save("out.mp4")
"""

from framegate.client.client import AsyncFramegate, Framegate
from framegate.client.errors import AddressInvalid, BrokenVideo, KeyInvalid, Unreachable, WaitTimeout
from framegate.client.jobs import AsyncJob, AsyncVideo, Job, Video
from framegate.client.models import (
    Asset,
    CheckResult,
    JobCancelled,
    JobEnded,
    JobExpired,
    JobFailed,
    JobView,
    ModelRecord,
)
from framegate.client.requests import ReferenceInput, ReferenceSource, VideoRequest

__all__ = [
    "AddressInvalid",
    "Asset",
    "AsyncFramegate",
    "AsyncJob",
    "AsyncVideo",
    "BrokenVideo",
    "CheckResult",
    "Framegate",
    "Job",
    "JobCancelled",
    "JobEnded",
    "JobExpired",
    "JobFailed",
    "JobView",
    "KeyInvalid",
    "ModelRecord",
    "ReferenceInput",
    "ReferenceSource",
    "Unreachable",
    "Video",
    "VideoRequest",
    "WaitTimeout",
]

_RENAMED = {  # until 0.3.0
    "AsyncGate": "AsyncFramegate",
    "Gate": "Framegate",
    "Record": "ModelRecord",
    "Source": "ReferenceSource",
}


def __getattr__(name: str) -> object:
    """Former names, with a warning."""
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import warnings  # noqa: PLC0415 - only for former names

    new_name = _RENAMED[name]
    warnings.warn(f"{__name__}.{name} is now {__name__}.{new_name}", DeprecationWarning, stacklevel=2)
    return globals()[new_name]
