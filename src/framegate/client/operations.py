"""The operations of the SDK, written once and without I/O: flows yield steps, which a sync or async driver executes.

The driver sends the outcome of a step back into the flow: a `Reply` for `Send` and `Stream`, None for `Pause` and
`Yield`. A connection error is thrown into the flow as `Unreachable`.
"""

import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from framegate.client import models, requests
from framegate.client.errors import Unreachable
from framegate.client.models import ERRORS_OF_ENDS, Reply
from framegate.client.requests import Call, Upload, VideoRequest
from framegate.client.streaming import Download, EventFollower, Sink
from framegate.domain import Event, Status

TRIES_MAX = 4
FOLLOW_TRIES_MAX = 10  # without a new event between them
PAUSE_SECONDS_MAX = 30.0
SILENCE_SECONDS_MAX = 60.0  # the gateway sends a heartbeat four times as often


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request and read the complete response."""

    call: Call


@dataclass(frozen=True, slots=True)
class Stream:
    """Send a request and pass the response to a sink in pieces."""

    call: Call
    sink: Sink


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Yield:
    """Return items to the caller, who iterates over them."""

    items: Sequence[Any]


Step = Send | Stream | Pause | Yield
T = TypeVar("T")
Flow = Generator[Step, Any, T]


def send(call: Call) -> Flow[Reply]:
    """Send a request; repeat it, if that is safe, after a lost connection and after a 429 or 503."""
    for attempt in range(1, TRIES_MAX + 1):
        seconds = 0.1 * 2**attempt
        try:
            reply: Reply = yield Send(call)
        except Unreachable:
            if not call.repeatable or attempt == TRIES_MAX:
                raise
        else:
            retry_after = _retry_after(reply)
            if reply.status not in (429, 503) or attempt == TRIES_MAX or retry_after > PAUSE_SECONDS_MAX:
                return reply.checked()
            seconds = max(seconds, retry_after)
        yield Pause(seconds)
    raise AssertionError("the last attempt returns or raises")


def create(request: VideoRequest, key: str | None) -> Flow[Mapping[str, Any]]:
    """Upload local files, then create the job."""
    body = yield from _request_body(request)
    return (yield from send(requests.create(body, key))).json()


def check(request: VideoRequest) -> Flow[models.CheckResult]:
    """Upload local files, then validate the request."""
    body = yield from _request_body(request)
    reply = yield from send(Call(method="POST", path="/videos/check", json=body))
    return models.check_result(reply.json())


def get(job_id: str) -> Flow[Mapping[str, Any]]:
    """Get a job."""
    return (yield from send(Call(method="GET", path=requests.video_path(job_id)))).json()


def pages(
    limit: int | None,
    status: Sequence[str],
    filters: Mapping[str, str | None],
    build: Callable[[Any], Any],
    *,
    path: str = "/videos",
) -> Flow[None]:
    """List the jobs, newest first, page by page. A filter that is None is left out."""
    after: str | None = None
    remaining = limit
    while remaining is None or remaining > 0:
        params: dict[str, str | int | float | list[str]] = {"limit": min(remaining or 100, 100)}
        params |= {name: value for name, value in {**filters, "after": after}.items() if value}
        if status:
            params["status"] = list(status)
        page = (yield from send(Call(method="GET", path=path, params=params))).json()
        yield Yield([build(raw) for raw in page["data"]])
        after = page.get("next")
        if not after:
            return
        remaining = None if remaining is None else remaining - len(page["data"])


def cancel(job_id: str) -> Flow[Mapping[str, Any]]:
    """Cancel a job."""
    return (yield from send(Call(method="POST", path=requests.video_path(job_id, "/cancel")))).json()


def bill(job_id: str) -> Flow[Mapping[str, Any]]:
    """Get the ledger entry of a job."""
    return (yield from send(Call(method="GET", path=requests.video_path(job_id, "/bill")))).json()


def resubmit(job_id: str, *, void_first: bool) -> Flow[Mapping[str, Any]]:
    """Resubmit a job whose submission outcome is unknown. The gateway does so once, so the call may be repeated."""
    body = {"confirm": True, "void_first": void_first}
    return (yield from send(Call(method="POST", path=requests.video_path(job_id, "/retry"), json=body))).json()


def rerun(job_id: str, key: str | None) -> Flow[Mapping[str, Any]]:
    """Make the video of a job again, as a new job."""
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    return (yield from send(Call(method="POST", path=requests.video_path(job_id, "/rerun"), headers=headers))).json()


def spend(
    by: str, since: str | None, until: str | None, *, path: str = "/spend", owner: str | None = None
) -> Flow[Mapping[str, Any]]:
    """Get the spending."""
    params: dict[str, str | int | float | list[str]] = {"by": by}
    params |= {name: day for name, day in (("since", since), ("until", until), ("owner", owner)) if day}
    return (yield from send(Call(method="GET", path=path, params=params))).json()


def admin_get(path: str, **params: str) -> Flow[Mapping[str, Any]]:
    """Read from one of the operator's routes."""
    return (yield from send(Call(method="GET", path=f"/admin{path}", params=params))).json()


def admin_post(path: str, body: Mapping[str, Any] | None = None, *, repeatable: bool = True) -> Flow[Mapping[str, Any]]:
    """Change something by one of the operator's routes."""
    return (yield from send(Call(method="POST", path=f"/admin{path}", json=body, repeatable=repeatable))).json()


def delete(job_id: str) -> Flow[None]:
    """Delete a job that has ended."""
    yield from send(Call(method="DELETE", path=requests.video_path(job_id)))


def report(job_id: str) -> Flow[Mapping[str, Any]]:
    """Get the quality report of a job."""
    return (yield from send(Call(method="GET", path=requests.video_path(job_id, "/report")))).json()


def references(job_id: str) -> Flow[list[Mapping[str, Any]]]:
    """Get the references of a job."""
    return (yield from send(Call(method="GET", path=requests.video_path(job_id, "/references")))).json()["data"]


def webhooks(job_id: str) -> Flow[list[Mapping[str, Any]]]:
    """Get the webhooks of a job with their delivery attempts."""
    return (yield from send(Call(method="GET", path=requests.video_path(job_id, "/webhooks")))).json()["data"]


def replay_webhook(job_id: str, webhook_id: str) -> Flow[Mapping[str, Any]]:
    """Send a webhook again."""
    path = requests.video_path(job_id, f"/webhooks/{quote(webhook_id, safe='')}/replay")
    return (yield from send(Call(method="POST", path=path))).json()


def list_models() -> Flow[list[models.ModelRecord]]:
    """List the models."""
    reply = yield from send(Call(method="GET", path="/videos/models"))
    return [models.ModelRecord(raw) for raw in reply.json()["data"]]


def gateway() -> Flow[Mapping[str, Any]]:
    """Get facts about the gateway."""
    return (yield from send(Call(method="GET", path="/gateway"))).json()


def upload(source: requests.ReferenceSource) -> Flow[models.Asset]:
    """Store a local file."""
    return (yield from _store(requests.local_file(source)))


def follow(follower: EventFollower) -> Flow[None]:
    """Stream the events of a job until the last, over any number of connections."""
    failures = 0
    path = requests.video_path(follower.job_id, "/events")
    while not follower.is_complete:
        before = follower.seq
        left = follower.seconds_left()
        call = Call(
            method="GET",
            path=path,
            headers={"Accept": "text/event-stream"} | ({"Last-Event-ID": str(before)} if before else {}),
            timeout_seconds=SILENCE_SECONDS_MAX if left is None else max(0.05, min(left, SILENCE_SECONDS_MAX)),
        )
        try:
            reply: Reply = yield Stream(call, follower)
            if reply.status not in (429, 503):
                reply.checked()
        except Unreachable:
            follower.expire()
            if failures >= FOLLOW_TRIES_MAX:
                raise
        if follower.is_complete:
            return
        failures = 0 if follower.seq > before else failures + 1
        if failures > FOLLOW_TRIES_MAX:
            raise Unreachable(f"The gateway sends no more events of job {follower.job_id}.")
        follower.expire()
        yield Pause(min(5.0, 0.1 * 2**failures))


def wait(
    job_id: str, seconds: float | None, on_event: Callable[[Event], object] | None, seq: int
) -> Flow[Mapping[str, Any]]:
    """Follow a job until it ends. Raises the `JobEnded` error of an end without a video."""
    deadline = None if seconds is None else time.monotonic() + seconds
    yield from follow(EventFollower(job_id, after=seq, deadline=deadline, on_event=on_event))
    raw = yield from get(job_id)
    view = models.JobView(raw)
    if view.status is not Status.COMPLETED:
        raise ERRORS_OF_ENDS[view.status](view)
    return raw


def save(job: models.JobView, path: str | PathLike[str], index: int, resource: str = "content") -> Flow[Path]:
    """Download a finished video, or a picture of it. The file is verified, and written completely or not at all."""
    call = Call(method="GET", path=requests.video_path(job.id, f"/{resource}"), params={"index": index})
    sha256 = job.sha256(index) if resource == "content" else None
    with Download(Path(path).expanduser(), sha256) as download:
        for attempt in range(1, TRIES_MAX + 1):
            try:
                reply: Reply = yield Stream(replace(call, headers=download.headers()), download)
            except Unreachable:
                if attempt == TRIES_MAX:
                    raise
            else:
                if reply.status not in (429, 503) or attempt == TRIES_MAX:
                    reply.checked()
                    return download.finish()
            yield Pause(0.1 * 2**attempt)
    raise AssertionError("the last attempt returns or raises")


def _request_body(request: VideoRequest) -> Flow[dict[str, Any]]:
    references: list[tuple[requests.ResolvedReference, str]] = []
    for reference in requests.resolve_references(request):
        if isinstance(reference.source, Upload):
            asset = yield from _store(reference.source)
            references.append((reference, asset.url))
        else:
            references.append((reference, reference.source))
    return requests.request_body(request, references)


def _store(file: Upload) -> Flow[models.Asset]:
    raw = (yield from send(requests.store_asset(file))).json()
    return models.Asset(url=raw["url"], raw=raw)


def _retry_after(reply: Reply) -> float:
    """Seconds to wait; the gateway does not use the date form of the header."""
    value = reply.headers.get("retry-after", "")
    return float(value) if value.isdigit() else 0.0
