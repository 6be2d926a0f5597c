"""Create, follow and download jobs over connections that are lost."""

import asyncio
import itertools
import re
import time
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate import AsyncFramegate, Framegate
from framegate.client import BrokenVideo, JobCancelled, JobExpired, JobFailed, Unreachable, WaitTimeout
from framegate.client.streaming import EventFollower, EventStreamParser
from framegate.domain import Event, Status
from framegate.domain.errors import Busy, Conflict, Gone, IdempotencyConflict, InvalidRequest, NotFound, Unauthorized
from support.fake_gateway import VIDEO, Handler, Plan


def test_a_job_is_created_followed_and_saved(client: Framegate, tmp_path: Path):
    events: list[Event] = []

    job = client.videos.create(prompt="x").wait(on_event=events.append)
    path = job.video.save(tmp_path / "out.mp4")

    assert job.status is Status.COMPLETED
    assert [event.state for event in events] == ["queued", "preparing", "running", "checking", "completed"]
    assert path.read_bytes() == VIDEO
    assert list(tmp_path.iterdir()) == [path]


def test_the_async_client_does_the_same(address: str, tmp_path: Path):
    async def make() -> tuple[list[str], bytes, int]:
        async with AsyncFramegate(address) as client:
            job = await client.videos.create(prompt="x", references=[b"\x89PNG bytes"])
            states = [event.state.value async for event in client.videos.events(job.id)]
            await job.wait()
            path = await job.save(tmp_path / "out.mp4")
            jobs = [job async for job in client.videos.list()]
            return states, path.read_bytes(), len(jobs)

    assert asyncio.run(make()) == (["queued", "preparing", "running", "checking", "completed"], VIDEO, 1)


def test_events_continue_after_the_last_one_when_the_connection_is_lost(
    client: Framegate, plan: Plan, pauses: list[float]
):
    plan.events_per_connection = 2

    assert [event.seq for event in client.videos.events("job-0")] == [1, 2, 3, 4, 5]
    assert [request.headers.get("last-event-id") for request in plan.requests("GET", ".*/events")] == [None, "2", "4"]


def test_events_start_after_a_given_one(client: Framegate):
    assert [event.seq for event in client.videos.events("job-0", after=3)] == [4, 5]


@pytest.mark.parametrize(
    ("state", "error"), [("failed", JobFailed), ("cancelled", JobCancelled), ("expired", JobExpired)]
)
def test_each_end_without_a_video_raises_its_exception(
    client: Framegate, plan: Plan, state: str, error: type[Exception]
):
    plan.states, plan.error = ["queued", state], "The provider said no."

    with pytest.raises(error, match=re.escape("The provider said no.")):
        client.videos.get("job-0").wait()


def test_wait_times_out_while_the_job_is_running(client: Framegate, plan: Plan):
    plan.states = ["queued", "running"]

    with pytest.raises(WaitTimeout, match="job-0"):
        client.videos.get("job-0").wait(timeout=0.2)


def test_heartbeats_do_not_delay_the_deadline():
    follower = EventFollower("job-0", deadline=time.monotonic() - 1)

    with pytest.raises(WaitTimeout):
        follower.write(b": still here\n\n")


def test_a_gateway_that_sends_no_more_events_is_unreachable_in_the_end(
    client: Framegate, plan: Plan, pauses: list[float]
):
    plan.states = ["queued", "running"]

    with pytest.raises(Unreachable, match="job-0"):
        client.videos.get("job-0").wait()
    assert len(pauses) < 20


def test_a_create_with_a_lost_response_is_sent_again_and_creates_one_job(
    client: Framegate, plan: Plan, pauses: list[float]
):
    def accept_and_hang_up(handler: Handler) -> None:
        plan.keys[plan.received[-1].headers["idempotency-key"]] = "job-0"
        handler.hang_up()

    plan.faults.append(("POST /videos", accept_and_hang_up))
    job = client.videos.create(prompt="x")

    first, second = plan.requests("POST", "/videos")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert (job.id, len(plan.keys)) == ("job-0", 1)


def test_two_creates_are_two_jobs(client: Framegate):
    assert client.videos.create(prompt="x").id != client.videos.create(prompt="x").id


def test_a_429_is_retried_after_the_time_of_retry_after(client: Framegate, plan: Plan, pauses: list[float]):
    busy = (
        "POST /videos",
        lambda handler: handler.reject(429, "too_many_requests", "Later.", headers={"retry_after": "7"}),
    )
    plan.faults.append(busy)

    client.videos.create(prompt="x")

    assert pauses == [7.0]


def test_a_gateway_that_stays_busy_is_an_error_after_four_attempts(client: Framegate, plan: Plan, pauses: list[float]):
    plan.faults += [("GET /videos/x", lambda handler: handler.reject(429, "too_many_requests", "Later."))] * 9

    with pytest.raises(Busy, match=re.escape("Later.")):
        client.videos.get("x")
    assert len(plan.requests("GET", "/videos/x")) == 4


def test_an_address_where_nothing_listens_is_unreachable(pauses: list[float]):
    with Framegate("http://127.0.0.1:9") as client, pytest.raises(Unreachable, match=re.escape("http://127.0.0.1:9")):
        client.models.list()


def test_a_response_that_is_not_json_is_reported_with_its_type(client: Framegate, plan: Plan):
    def empty_page(handler: Handler) -> None:
        handler.send_response(404)
        handler.send_header("content-type", "text/html")
        handler.send_header("content-length", "0")
        handler.end_headers()

    def login_page(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/html")
        handler.send_header("content-length", "6")
        handler.end_headers()
        handler.wfile.write(b"<html>")

    plan.faults += [("GET /videos/models", login_page), ("GET /videos/models", empty_page)]
    with pytest.raises(Unreachable, match="text/html"):
        client.models.list()
    with pytest.raises(NotFound):
        client.models.list()


ERRORS = [
    (400, "invalid_request", InvalidRequest),
    (401, "unauthorized", Unauthorized),
    (404, "not_found", NotFound),
    (409, "conflict", Conflict),
    (409, "idempotency_conflict", IdempotencyConflict),
    (410, "gone", Gone),
]


@pytest.mark.parametrize(("status", "code", "kind"), ERRORS)
def test_each_error_code_raises_its_exception(
    client: Framegate, plan: Plan, status: int, code: str, kind: type[Exception]
):
    plan.faults.append(("GET /videos/x", lambda handler: handler.reject(status, code, "Because.")))

    with pytest.raises(kind, match=re.escape("Because.")) as raised:
        client.videos.get("x")
    assert type(raised.value) is kind


def test_a_rejected_request_carries_every_problem(client: Framegate, plan: Plan):
    problem = {"code": "duration", "pointer": "/duration", "message": "No.", "allowed": [4, 6], "nearest": 4}
    metadata = {"problems": [problem], "alternatives": ["a/b"]}
    plan.faults.append(("POST /videos", lambda handler: handler.reject(400, "invalid_request", "No.", **metadata)))

    with pytest.raises(InvalidRequest) as raised:
        client.videos.create(prompt="x", duration=5)
    assert (raised.value.problems[0].nearest, raised.value.alternatives) == (4, ("a/b",))


def test_a_list_covers_all_pages(client: Framegate, plan: Plan):
    plan.jobs = 5

    assert [job.id for job in client.videos.list()] == [f"job-{number}" for number in range(5)]
    assert [job.id for job in client.videos.list(limit=3)] == ["job-0", "job-1", "job-2"]


def test_a_check_returns_the_estimate(client: Framegate):
    verdict = client.videos.check(prompt="x")

    assert (verdict.ok, verdict.cost_usd) == (True, 0.4)


def test_cancel_delete_and_report(client: Framegate):
    assert client.videos.cancel("job-0").status is Status.CANCELLED
    client.videos.delete("job-0")
    assert client.videos.report("job-0") == {"verdict": "pass"}


def test_a_download_continues_where_the_connection_was_lost(
    client: Framegate, plan: Plan, pauses: list[float], tmp_path: Path
):
    plan.faults.append((".*/content", lambda handler: handler.content(plan.received[-1], stop_after=700_000)))

    path = client.videos.get("job-0").save(tmp_path / "out.mp4")

    assert path.read_bytes() == VIDEO
    assert re.fullmatch(r"bytes=\d+-", plan.requests("GET", ".*/content")[1].headers["range"])


def test_a_file_with_another_checksum_never_appears(client: Framegate, plan: Plan, tmp_path: Path):
    plan.video = VIDEO[:-1] + b"!"
    out = tmp_path / "out.mp4"
    out.write_bytes(b"older")

    with pytest.raises(BrokenVideo, match="checksum"):
        client.videos.get("job-0").save(out)
    assert [(one, one.read_bytes()) for one in tmp_path.iterdir()] == [(out, b"older")]


def test_a_download_that_fails_leaves_no_file(client: Framegate, plan: Plan, pauses: list[float], tmp_path: Path):
    plan.faults += [(".*/content", lambda handler: handler.content(plan.received[-1], stop_after=1000))] * 9

    with pytest.raises(Unreachable):
        client.videos.get("job-0").save(tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_is_no_longer_stored_leaves_no_file(client: Framegate, plan: Plan, tmp_path: Path):
    plan.faults.append((".*/content", lambda handler: handler.reject(410, "gone", "No longer kept.")))

    with pytest.raises(Gone):
        client.videos.get("job-0").save(tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


STREAM_LINES = st.lists(
    st.sampled_from(["data: {}", "data:a", "data", "id: 7", "id:8", ": beat", "event: state", "retry: 5", "x: y", ""])
    | st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=8)
)


@given(STREAM_LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 200), max_size=6))
def test_events_are_the_same_for_any_split_of_the_stream(lines: list[str], end: str, cuts: list[int]):
    stream = "".join(line + end for line in [*lines, "data: last", "", ": sentinel"]).encode()
    response = httpx2.Response(
        200,
        headers={"content-type": "text/event-stream"},
        content=stream,
        request=httpx2.Request("GET", "http://gateway"),
    )
    expected = [(event.id, event.data) for event in httpx2.EventSource(response) if event.data]
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]

    reader = EventStreamParser()
    found = [event for start, stop in itertools.pairwise(edges) for event in reader.feed(stream[start:stop])]

    assert [(seq, data) for seq, data in found if data] == expected
