"""Following, saving and losing jobs, over connections that break."""

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
from framegate.client.streaming import Following, Lines
from framegate.domain import Event, Status
from framegate.domain.errors import Busy, Conflict, Gone, IdempotencyConflict, InvalidRequest, NotFound, Unauthorized
from support.fake_gateway import VIDEO, Handler, Plan


def test_a_job_is_created_followed_and_saved(gate: Framegate, tmp_path: Path):
    events: list[Event] = []

    job = gate.videos.create(prompt="x").wait(on_event=events.append)
    path = job.video.save(tmp_path / "out.mp4")

    assert job.status is Status.COMPLETED
    assert [event.state for event in events] == ["queued", "preparing", "running", "checking", "completed"]
    assert path.read_bytes() == VIDEO
    assert list(tmp_path.iterdir()) == [path]


def test_the_async_gate_does_the_same(address: str, tmp_path: Path):
    async def make() -> tuple[list[str], bytes, int]:
        async with AsyncFramegate(address) as gate:
            job = await gate.videos.create(prompt="x", references=[b"\x89PNG bytes"])
            seen = [event.state.value async for event in gate.videos.events(job.id)]
            await job.wait()
            path = await job.save(tmp_path / "out.mp4")
            jobs = [job async for job in gate.videos.list()]
            return seen, path.read_bytes(), len(jobs)

    assert asyncio.run(make()) == (["queued", "preparing", "running", "checking", "completed"], VIDEO, 1)


def test_events_go_on_where_the_connection_broke(gate: Framegate, plan: Plan, quick: list[float]):
    plan.events_per_connection = 2

    assert [event.seq for event in gate.videos.events("job-0")] == [1, 2, 3, 4, 5]
    assert [one.headers.get("last-event-id") for one in plan.asked("GET", ".*/events")] == [None, "2", "4"]


def test_events_begin_after_the_one_that_is_known(gate: Framegate):
    assert [event.seq for event in gate.videos.events("job-0", after=3)] == [4, 5]


@pytest.mark.parametrize(
    ("state", "error"), [("failed", JobFailed), ("cancelled", JobCancelled), ("expired", JobExpired)]
)
def test_each_end_without_a_video_has_its_exception(gate: Framegate, plan: Plan, state: str, error: type[Exception]):
    plan.states, plan.error = ["queued", state], "The provider said no."

    with pytest.raises(error, match=re.escape("The provider said no.")):
        gate.videos.get("job-0").wait()


def test_waiting_ends_in_time_though_the_job_goes_on(gate: Framegate, plan: Plan):
    plan.states = ["queued", "running"]

    with pytest.raises(WaitTimeout, match="job-0"):
        gate.videos.get("job-0").wait(timeout=0.2)


def test_signs_of_life_do_not_put_the_deadline_off():
    following = Following("job-0", deadline=time.monotonic() - 1)

    with pytest.raises(WaitTimeout):
        following.write(b": still here\n\n")


def test_a_gate_that_never_goes_on_telling_is_given_up(gate: Framegate, plan: Plan, quick: list[float]):
    plan.states = ["queued", "running"]

    with pytest.raises(Unreachable, match="job-0"):
        gate.videos.get("job-0").wait()
    assert len(quick) < 20


def test_a_create_that_was_cut_off_is_sent_again_and_makes_one_job(gate: Framegate, plan: Plan, quick: list[float]):
    def take_it_and_hang_up(handler: Handler) -> None:
        plan.keys[plan.seen[-1].headers["idempotency-key"]] = "job-0"
        handler.hang_up()

    plan.faults.append(("POST /videos", take_it_and_hang_up))
    job = gate.videos.create(prompt="x")

    first, second = plan.asked("POST", "/videos")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert (job.id, len(plan.keys)) == ("job-0", 1)


def test_two_creates_are_two_jobs(gate: Framegate):
    assert gate.videos.create(prompt="x").id != gate.videos.create(prompt="x").id


def test_a_busy_gate_is_asked_again_after_the_time_it_names(gate: Framegate, plan: Plan, quick: list[float]):
    busy = (
        "POST /videos",
        lambda handler: handler.refuse(429, "too_many_requests", "Later.", headers={"retry_after": "7"}),
    )
    plan.faults.append(busy)

    gate.videos.create(prompt="x")

    assert quick == [7.0]


def test_a_gate_that_stays_busy_is_an_error(gate: Framegate, plan: Plan, quick: list[float]):
    plan.faults += [("GET /videos/x", lambda handler: handler.refuse(429, "too_many_requests", "Later."))] * 9

    with pytest.raises(Busy, match=re.escape("Later.")):
        gate.videos.get("x")
    assert len(plan.asked("GET", "/videos/x")) == 4


def test_nothing_there_is_unreachable(quick: list[float]):
    with Framegate("http://127.0.0.1:9") as gate, pytest.raises(Unreachable, match=re.escape("http://127.0.0.1:9")):
        gate.models.list()


def test_an_answer_that_is_no_json_says_so(gate: Framegate, plan: Plan):
    def some_page(handler: Handler) -> None:
        handler.send_response(404)
        handler.send_header("content-type", "text/html")
        handler.send_header("content-length", "0")
        handler.end_headers()

    def a_login(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/html")
        handler.send_header("content-length", "6")
        handler.end_headers()
        handler.wfile.write(b"<html>")

    plan.faults += [("GET /videos/models", a_login), ("GET /videos/models", some_page)]
    with pytest.raises(Unreachable, match="text/html"):
        gate.models.list()
    with pytest.raises(NotFound):
        gate.models.list()


ERRORS = [
    (400, "invalid_request", InvalidRequest),
    (401, "unauthorized", Unauthorized),
    (404, "not_found", NotFound),
    (409, "conflict", Conflict),
    (409, "idempotency_conflict", IdempotencyConflict),
    (410, "gone", Gone),
]


@pytest.mark.parametrize(("status", "code", "kind"), ERRORS)
def test_each_refusal_has_its_exception(gate: Framegate, plan: Plan, status: int, code: str, kind: type[Exception]):
    plan.faults.append(("GET /videos/x", lambda handler: handler.refuse(status, code, "Because.")))

    with pytest.raises(kind, match=re.escape("Because.")) as refusal:
        gate.videos.get("x")
    assert type(refusal.value) is kind


def test_a_refused_request_carries_every_problem(gate: Framegate, plan: Plan):
    problem = {"code": "duration", "pointer": "/duration", "message": "No.", "allowed": [4, 6], "nearest": 4}
    said = {"problems": [problem], "alternatives": ["a/b"]}
    plan.faults.append(("POST /videos", lambda handler: handler.refuse(400, "invalid_request", "No.", **said)))

    with pytest.raises(InvalidRequest) as refusal:
        gate.videos.create(prompt="x", duration=5)
    assert (refusal.value.problems[0].nearest, refusal.value.alternatives) == (4, ("a/b",))


def test_a_list_goes_through_all_pages(gate: Framegate, plan: Plan):
    plan.jobs = 5

    assert [job.id for job in gate.videos.list()] == [f"job-{number}" for number in range(5)]
    assert [job.id for job in gate.videos.list(limit=3)] == ["job-0", "job-1", "job-2"]


def test_a_check_tells_the_price(gate: Framegate):
    verdict = gate.videos.check(prompt="x")

    assert (verdict.ok, verdict.cost_usd) == (True, 0.4)


def test_cancel_delete_and_report(gate: Framegate):
    assert gate.videos.cancel("job-0").status is Status.CANCELLED
    gate.videos.delete("job-0")
    assert gate.videos.report("job-0") == {"verdict": "pass"}


def test_a_download_goes_on_where_it_broke(gate: Framegate, plan: Plan, quick: list[float], tmp_path: Path):
    plan.faults.append((".*/content", lambda handler: handler.content(plan.seen[-1], stop_after=700_000)))

    path = gate.videos.get("job-0").save(tmp_path / "out.mp4")

    assert path.read_bytes() == VIDEO
    assert re.fullmatch(r"bytes=\d+-", plan.asked("GET", ".*/content")[1].headers["range"])


def test_a_file_that_is_not_what_the_gate_keeps_never_appears(gate: Framegate, plan: Plan, tmp_path: Path):
    plan.video = VIDEO[:-1] + b"!"
    out = tmp_path / "out.mp4"
    out.write_bytes(b"older")

    with pytest.raises(BrokenVideo, match="checksum"):
        gate.videos.get("job-0").save(out)
    assert [(one, one.read_bytes()) for one in tmp_path.iterdir()] == [(out, b"older")]


def test_a_download_that_never_ends_well_leaves_nothing(
    gate: Framegate, plan: Plan, quick: list[float], tmp_path: Path
):
    plan.faults += [(".*/content", lambda handler: handler.content(plan.seen[-1], stop_after=1000))] * 9

    with pytest.raises(Unreachable):
        gate.videos.get("job-0").save(tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_is_gone_leaves_nothing(gate: Framegate, plan: Plan, tmp_path: Path):
    plan.faults.append((".*/content", lambda handler: handler.refuse(410, "gone", "No longer kept.")))

    with pytest.raises(Gone):
        gate.videos.get("job-0").save(tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


LINES = st.lists(
    st.sampled_from(["data: {}", "data:a", "data", "id: 7", "id:8", ": beat", "event: state", "retry: 5", "x: y", ""])
    | st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=8)
)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 200), max_size=6))
def test_events_read_the_same_however_the_stream_is_cut(lines: list[str], end: str, cuts: list[int]):
    stream = "".join(line + end for line in [*lines, "data: last", "", ": sentinel"]).encode()
    response = httpx2.Response(
        200, headers={"content-type": "text/event-stream"}, content=stream, request=httpx2.Request("GET", "http://gate")
    )
    expected = [(event.id, event.data) for event in httpx2.EventSource(response) if event.data]
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]

    reader = Lines()
    found = [event for start, stop in itertools.pairwise(edges) for event in reader.feed(stream[start:stop])]

    assert [(seq, data) for seq, data in found if data] == expected
