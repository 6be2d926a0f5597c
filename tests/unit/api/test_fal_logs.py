"""fal's clients keep every log line of every poll: a job has few lines, however often its progress changes."""

from hypothesis import given
from hypothesis import strategies as st

from framegate.api.dialects.fal.responses import log_lines
from framegate.domain import Event, Job, Request, State, Target

JOB = Job(
    id="01900000-0000-7000-8000-000000000000",
    owner="",
    dialect="fal",
    request=Request(model="framegate/animatic"),
    model="framegate/animatic",
    target=Target(width=640, height=360, fps=24, duration=1, audio=False, seed=None),
    created_at=1.0,
    updated_at=1.0,
    deadline_at=100.0,
)
STAGES = ("queued", "queued, {n} ahead", "rendering", "running", "checking")


def events_of(rows: list[tuple[str, float | None]]) -> list[Event]:
    return [
        Event(job_id=JOB.id, seq=number, at=float(number), state=State.RUNNING, stage=stage, progress=progress)
        for number, (stage, progress) in enumerate(rows, 1)
    ]


def messages(rows: list[tuple[str, float | None]]) -> list[str]:
    return [line["message"] for line in log_lines(JOB, events_of(rows))]


def test_a_render_that_reports_every_frame_logs_at_most_every_tenth():
    lines = messages([("rendering", frame / 7310) for frame in range(7311)])

    assert len(lines) == 11
    assert lines[0] == "rendering 0%"
    assert lines[-1] == "rendering 100%"


def test_every_stage_has_a_line_and_a_place_in_a_queue_has_one_for_all_its_numbers():
    rows = [("queued", None), *((f"queued, {ahead} ahead", None) for ahead in range(500, 0, -1)), ("running", 0.5)]

    assert messages(rows) == ["queued", "queued, 500 ahead", "running 50%"]


row = st.tuples(
    st.sampled_from(STAGES).flatmap(lambda stage: st.integers(0, 999).map(lambda n: stage.format(n=n))),
    st.none() | st.floats(0, 1),
)


@given(st.lists(row, max_size=200))
def test_lines_are_bounded_by_the_stages_and_later_calls_only_append(rows: list[tuple[str, float | None]]):
    lines = log_lines(JOB, events_of(rows))

    assert len(lines) <= 12 * len(STAGES)
    for length in (0, len(rows) // 2, len(rows)):
        earlier = log_lines(JOB, events_of(rows[:length]))
        assert lines[: len(earlier)] == earlier
