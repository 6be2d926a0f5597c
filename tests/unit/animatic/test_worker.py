import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from framegate.animatic import Spec

WORKER = [sys.executable, "-m", "framegate.animatic"]
EXIT_SECONDS_MAX = 30


class Worker:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def close(self):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            pipe.close()

    def send(self, job: str, spec: Spec):
        self.send_line(json.dumps({"id": job, "spec": asdict(spec)}))

    def send_line(self, line: str):
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def receive_until(self, *events: str) -> list[dict[str, Any]]:
        received = [self.receive()]
        while received[-1]["event"] not in events:
            received.append(self.receive())
        return received


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


@pytest.fixture
def long_job(spec: Callable[..., Spec], rocket: str) -> Spec:
    return spec(references=(rocket,), width=1280, height=720, fps=60, frames=3600)


def test_a_worker_announces_that_it_is_ready_and_renders_jobs_in_order(
    worker: Worker, spec: Callable[..., Spec], cat: str, tmp_path: Path
):
    assert worker.receive() == {"id": None, "event": "ready"}

    for job in ("a", "b"):
        output = str(tmp_path / f"{job}.mp4")
        worker.send(job, spec(references=(cat,), output=output))
        *progress, done = worker.receive_until("done", "error")

        assert done["id"] == job
        assert done["rendered"] == {
            "path": output,
            "frames": 12,
            "width": 320,
            "height": 180,
            "fps": 12,
            "seconds": 1.0,
            "notes": [],
        }
        assert all(event["event"] == "progress" and event["stage"] == "rendering" for event in progress)
        shares = [event["progress"] for event in progress]
        assert shares == sorted(shares)


def test_a_bad_job_gets_an_error_and_the_worker_continues(worker: Worker, spec: Callable[..., Spec], cat: str):
    worker.receive()
    worker.send_line("nonsense")
    worker.send_line(json.dumps({"id": "odd", "spec": asdict(spec()) | {"width": 321}}))
    worker.send("gone", spec(references=("no-such.png",)))
    worker.send("good", spec(references=(cat,)))

    answers = [worker.receive_until("done", "error")[-1] for _ in range(4)]
    assert [(answer["id"], answer.get("code")) for answer in answers] == [
        (None, "bad_spec"),
        ("odd", "bad_spec"),
        ("gone", "unreadable_picture"),
        ("good", None),
    ]


def test_a_worker_killed_during_a_render_leaves_no_file_at_its_output_path(worker: Worker, long_job: Spec):
    worker.send("long", long_job)
    worker.receive_until("progress")

    worker.process.kill()

    assert worker.process.wait(EXIT_SECONDS_MAX) == -signal.SIGKILL
    assert not Path(long_job.output).exists()


def test_the_leftover_of_a_killed_render_is_removed_by_the_next_render_of_the_same_output(
    spec: Callable[..., Spec], worker: Worker, cat: str, tmp_path: Path
):
    leftover = tmp_path / ".clip.mp4.part"
    leftover.write_bytes(b"half a file")

    worker.send("again", spec(references=(cat,)))

    assert worker.receive_until("done", "error")[-1]["event"] == "done"
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_worker_exits_when_its_input_closes_during_a_render(worker: Worker, long_job: Spec):
    worker.send("long", long_job)
    worker.receive_until("progress")

    assert worker.process.stdin
    worker.process.stdin.close()

    assert worker.process.wait(EXIT_SECONDS_MAX) == 0
    assert list(Path(long_job.output).parent.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs the parent death signal of Linux")
def test_a_worker_dies_with_its_parent(long_job: Spec, tmp_path: Path):
    """The parent is killed, and a third process keeps the worker's standard input open."""
    reader, writer = os.pipe()
    spawn = f"import subprocess; p = subprocess.Popen({WORKER!r}, stdin={reader}); print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen([sys.executable, "-c", spawn], stdout=subprocess.PIPE, text=True, pass_fds=[reader])
    os.close(reader)
    os.write(writer, (json.dumps({"id": "long", "spec": asdict(long_job)}) + "\n").encode())
    assert parent.stdout
    parent.stdout.readline()
    while json.loads(parent.stdout.readline())["event"] != "progress":
        pass

    parent.kill()

    # The worker has the other end of this pipe: end of file means that it is dead.
    assert parent.stdout.read() is not None
    os.close(writer)
    parent.wait()
    parent.stdout.close()
    assert not Path(long_job.output).exists()
