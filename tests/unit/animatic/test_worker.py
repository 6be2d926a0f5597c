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
SECONDS_MOST = 30


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
        self.say(json.dumps({"id": job, "spec": asdict(spec)}))

    def say(self, line: str):
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def hear_until(self, *events: str) -> list[dict[str, Any]]:
        heard = [self.hear()]
        while heard[-1]["event"] not in events:
            heard.append(self.hear())
        return heard


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


@pytest.fixture
def long_job(spec: Callable[..., Spec], rocket: str) -> Spec:
    return spec(references=(rocket,), width=1280, height=720, fps=60, frames=3600)


def test_a_worker_says_when_it_is_warm_and_renders_one_job_after_another(
    worker: Worker, spec: Callable[..., Spec], cat: str, tmp_path: Path
):
    assert worker.hear() == {"id": None, "event": "ready"}

    for job in ("a", "b"):
        output = str(tmp_path / f"{job}.mp4")
        worker.send(job, spec(references=(cat,), output=output))
        *progress, done = worker.hear_until("done", "error")

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
        assert all(told["event"] == "progress" and told["stage"] == "rendering" for told in progress)
        shares = [told["progress"] for told in progress]
        assert shares == sorted(shares)


def test_a_bad_job_is_answered_and_the_worker_lives(worker: Worker, spec: Callable[..., Spec], cat: str):
    worker.hear()
    worker.say("nonsense")
    worker.say(json.dumps({"id": "odd", "spec": asdict(spec()) | {"width": 321}}))
    worker.send("gone", spec(references=("no-such.png",)))
    worker.send("good", spec(references=(cat,)))

    answers = [worker.hear_until("done", "error")[-1] for _ in range(4)]
    assert [(answer["id"], answer.get("code")) for answer in answers] == [
        (None, "bad_spec"),
        ("odd", "bad_spec"),
        ("gone", "unreadable_picture"),
        ("good", None),
    ]


def test_a_worker_killed_in_the_middle_leaves_no_file_at_output(worker: Worker, long_job: Spec):
    worker.send("long", long_job)
    worker.hear_until("progress")

    worker.process.kill()

    assert worker.process.wait(SECONDS_MOST) == -signal.SIGKILL
    assert not Path(long_job.output).exists()


def test_what_a_killed_render_left_is_swept_up_by_the_next_for_the_same_output(
    spec: Callable[..., Spec], worker: Worker, cat: str, tmp_path: Path
):
    leftover = tmp_path / ".clip.mp4.part"
    leftover.write_bytes(b"half a file")

    worker.send("again", spec(references=(cat,)))

    assert worker.hear_until("done", "error")[-1]["event"] == "done"
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_worker_goes_when_its_input_closes_in_the_middle_of_a_render(worker: Worker, long_job: Spec):
    worker.send("long", long_job)
    worker.hear_until("progress")

    assert worker.process.stdin
    worker.process.stdin.close()

    assert worker.process.wait(SECONDS_MOST) == 0
    assert list(Path(long_job.output).parent.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
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

    # The worker held the other end of this pipe: its end of file is the worker's death.
    assert parent.stdout.read() is not None
    os.close(writer)
    parent.wait()
    parent.stdout.close()
    assert not Path(long_job.output).exists()
