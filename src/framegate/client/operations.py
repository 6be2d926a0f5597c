"""What the SDK does, written once and without I/O: each flow yields its steps, and a gate, sync or async, takes them.

A step's outcome is sent back into the flow: a `Reply` for `Send` and `Pull`, nothing for `Pause` and `Items`. A
connection that fails is thrown into it as `Unreachable`.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from framegate.client import models, requests
from framegate.client.errors import ENDS, Unreachable
from framegate.client.models import Reply
from framegate.client.requests import Call, Upload, VideoRequest
from framegate.client.streaming import Download, Following, Sink
from framegate.domain import Event, Status

TRIES_MAX = 4
FOLLOW_TRIES_MAX = 10  # without a new event between them
PAUSE_SECONDS_MAX = 30.0
SILENCE_SECONDS_MAX = 60.0  # the gate sends a sign of life four times as often


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request and read the whole answer."""

    call: Call


@dataclass(frozen=True, slots=True)
class Stream:
    """Send a request and pour the answer into a sink."""

    call: Call
    sink: Sink


@dataclass(frozen=True, slots=True)
class Pause:
    """Let time pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Yield:
    """Hand these to whoever iterates."""

    found: Sequence[Any]


Step = Send | Stream | Pause | Yield
T = TypeVar("T")
Flow = Generator[Step, Any, T]


def send(call: Call) -> Flow[Reply]:
    """Send, and again where that is safe: after a broken connection, and when the gate says 429 or 503."""
    for tried in range(1, TRIES_MAX + 1):
        seconds = 0.1 * 2**tried
        try:
            reply: Reply = yield Send(call)
        except Unreachable:
            if not call.repeatable or tried == TRIES_MAX:
                raise
        else:
            asked = _retry_after(reply)
            if reply.status not in (429, 503) or tried == TRIES_MAX or asked > PAUSE_SECONDS_MAX:
                return reply.checked()
            seconds = max(seconds, asked)
        yield Pause(seconds)
    raise AssertionError("the last try returns or raises")


def create(request: VideoRequest, key: str | None) -> Flow[Mapping[str, Any]]:
    """Upload what is local, then ask for the video."""
    made = yield from _body(request)
    return (yield from send(requests.create(made, key))).json()


def check(request: VideoRequest) -> Flow[models.CheckResult]:
    """Upload what is local, then ask what the gate would say."""
    made = yield from _body(request)
    reply = yield from send(Call(method="POST", path="/videos/check", json=made))
    return models.check_result(reply.json())


def get(job_id: str) -> Flow[Mapping[str, Any]]:
    """Look at a job."""
    return (yield from send(Call(method="GET", path=requests.video_path(job_id)))).json()


def pages(limit: int | None, status: Sequence[str], model: str | None, into: Callable[[Any], Any]) -> Flow[None]:
    """Go through the jobs, newest first, a page at a time."""
    after: str | None = None
    left = limit
    while left is None or left > 0:
        params: dict[str, str | int | float | list[str]] = {"limit": min(left or 100, 100)}
        params |= {name: value for name, value in (("after", after), ("model", model)) if value}
        if status:
            params["status"] = list(status)
        page = (yield from send(Call(method="GET", path="/videos", params=params))).json()
        yield Yield([into(raw) for raw in page["data"]])
        after = page.get("next")
        if not after:
            return
        left = None if left is None else left - len(page["data"])


def cancel(job_id: str) -> Flow[Mapping[str, Any]]:
    """Stop a job."""
    return (yield from send(Call(method="POST", path=requests.video_path(job_id, "/cancel")))).json()


def bill(job_id: str) -> Flow[Mapping[str, Any]]:
    """Read how the money of a job stands."""
    return (yield from send(Call(method="GET", path=requests.video_path(job_id, "/bill")))).json()


def retry(job_id: str, *, void_first: bool) -> Flow[Mapping[str, Any]]:
    """Order again what may have been ordered already; the gate does so once, so it may be asked again."""
    made = {"confirm": True, "void_first": void_first}
    return (yield from send(Call(method="POST", path=requests.video_path(job_id, "/retry"), json=made))).json()


def spend(by: str, since: str | None, until: str | None) -> Flow[Mapping[str, Any]]:
    """Read what was spent."""
    params: dict[str, str | int | float | list[str]] = {"by": by}
    params |= {name: day for name, day in (("since", since), ("until", until)) if day}
    return (yield from send(Call(method="GET", path="/spend", params=params))).json()


def delete(job_id: str) -> Flow[None]:
    """Remove a job that is over."""
    yield from send(Call(method="DELETE", path=requests.video_path(job_id)))


def report(job_id: str) -> Flow[Mapping[str, Any]]:
    """Read the quality report."""
    return (yield from send(Call(method="GET", path=requests.video_path(job_id, "/report")))).json()


def webhooks(job_id: str) -> Flow[list[Mapping[str, Any]]]:
    """Read what a job had to tell its `callback_url`."""
    return (yield from send(Call(method="GET", path=requests.video_path(job_id, "/webhooks")))).json()["data"]


def replay_webhook(job_id: str, webhook_id: str) -> Flow[Mapping[str, Any]]:
    """Have a webhook sent again."""
    path = requests.video_path(job_id, f"/webhooks/{quote(webhook_id, safe='')}/replay")
    return (yield from send(Call(method="POST", path=path))).json()


def list_models() -> Flow[list[models.Record]]:
    """Read the model list."""
    reply = yield from send(Call(method="GET", path="/videos/models"))
    return [models.Record(raw) for raw in reply.json()["data"]]


def upload(source: requests.Source) -> Flow[models.Asset]:
    """Store a local file."""
    return (yield from _store(requests.uploads(source)))


def follow(following: Following) -> Flow[None]:
    """Stream events until the last, over as many connections as it takes."""
    failures = 0
    path = requests.video_path(following.job_id, "/events")
    while not following.over:
        before = following.seq
        left = following.seconds_left()
        call = Call(
            method="GET",
            path=path,
            headers={"Accept": "text/event-stream"} | ({"Last-Event-ID": str(before)} if before else {}),
            timeout_seconds=SILENCE_SECONDS_MAX if left is None else max(0.05, min(left, SILENCE_SECONDS_MAX)),
        )
        try:
            reply: Reply = yield Stream(call, following)
            if reply.status not in (429, 503):
                reply.checked()
        except Unreachable:
            following.expire()
            if failures >= FOLLOW_TRIES_MAX:
                raise
        if following.over:
            return
        failures = 0 if following.seq > before else failures + 1
        if failures > FOLLOW_TRIES_MAX:
            raise Unreachable(f"The gate does not go on telling of job {following.job_id}.")
        following.expire()
        yield Pause(min(5.0, 0.1 * 2**failures))


def wait(
    job_id: str, seconds: float | None, on_event: Callable[[Event], object] | None, seq: int
) -> Flow[Mapping[str, Any]]:
    """Follow a job to its end and look at it; raises the end that is not a video."""
    deadline = None if seconds is None else time.monotonic() + seconds
    yield from follow(Following(job_id, after=seq, deadline=deadline, on_event=on_event))
    raw = yield from get(job_id)
    view = models.JobView(raw)
    if view.status is not Status.COMPLETED:
        raise ENDS[view.status](view)
    return raw


def save(job: models.JobView, path: str | PathLike[str], index: int, what: str = "content") -> Flow[Path]:
    """Download a finished video, or a picture of it; the file is whole and right, or not there."""
    call = Call(method="GET", path=requests.video_path(job.id, f"/{what}"), params={"index": index})
    sha256 = job.sha256(index) if what == "content" else None
    with Download(Path(path).expanduser(), sha256) as download:
        for tried in range(1, TRIES_MAX + 1):
            try:
                reply: Reply = yield Stream(replace(call, headers=download.headers()), download)
            except Unreachable:
                if tried == TRIES_MAX:
                    raise
            else:
                if reply.status not in (429, 503) or tried == TRIES_MAX:
                    reply.checked()
                    return download.finish()
            yield Pause(0.1 * 2**tried)
    raise AssertionError("the last try returns or raises")


def _body(request: VideoRequest) -> Flow[dict[str, Any]]:
    placed: list[tuple[requests.ResolvedReference, str]] = []
    for given in requests.inputs(request):
        if isinstance(given.source, Upload):
            asset = yield from _store(given.source)
            placed.append((given, asset.url))
        else:
            placed.append((given, given.source))
    return requests.body(request, placed)


def _store(file: Upload) -> Flow[models.Asset]:
    raw = (yield from send(requests.upload(file))).json()
    return models.Asset(url=raw["url"], raw=raw)


def _retry_after(reply: Reply) -> float:
    """Seconds that the gate asks to wait; the date form of the header is not used by it."""
    value = reply.headers.get("retry-after", "")
    return float(value) if value.isdigit() else 0.0
