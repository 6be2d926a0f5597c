"""The SDK: `Gate` and `AsyncGate` speak the native API of a gate over HTTP.

gate = Gate()
job = gate.videos.create(prompt="a slow push-in at dusk", references=["front.jpg", Path("side.png")])
job.wait().save("out.mp4")
"""

from framegate.client.client import AsyncGate, AsyncJob, Gate, Job
from framegate.client.errors import (
    AddressInvalid,
    BrokenVideo,
    JobCancelled,
    JobEnded,
    JobExpired,
    JobFailed,
    KeyInvalid,
    Unreachable,
    WaitTimeout,
)
from framegate.client.models import Asset, CheckResult, JobView, Record
from framegate.client.requests import Described, Source, VideoRequest

__all__ = [
    "AddressInvalid",
    "Asset",
    "AsyncGate",
    "AsyncJob",
    "BrokenVideo",
    "CheckResult",
    "Described",
    "Gate",
    "Job",
    "JobCancelled",
    "JobEnded",
    "JobExpired",
    "JobFailed",
    "JobView",
    "KeyInvalid",
    "Record",
    "Source",
    "Unreachable",
    "VideoRequest",
    "WaitTimeout",
]
