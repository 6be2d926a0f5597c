"""The SDK: `Framegate` and `AsyncFramegate`, clients of the native API.

client = Framegate()
job = client.videos.create(prompt="a slow push-in at dusk", references=["front.jpg", Path("side.png")])
job.wait().save("out.mp4")
"""

from framegate.client.client import AsyncFramegate, AsyncJob, Framegate, Job
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
from framegate.client.requests import ReferenceInput, Source, VideoRequest

__all__ = [
    "AddressInvalid",
    "Asset",
    "AsyncFramegate",
    "AsyncJob",
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
    "Record",
    "ReferenceInput",
    "Source",
    "Unreachable",
    "VideoRequest",
    "WaitTimeout",
]
