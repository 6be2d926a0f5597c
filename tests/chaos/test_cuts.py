"""The gateway, or one of its renders, is killed at an exact place; every accepted job still ends."""

import base64
import hashlib
import io
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import av
import httpx2
import pytest

from support.soak import amount

CUT = Path(__file__).with_name("cut.py")
KEY = {"Authorization": "Bearer sk-test"}
DIE_SECONDS_MAX = 5.0
END_SECONDS_MAX = 60.0
LONG_FRAMES = 4 * 30
PLACES = amount(
    ["half a copy", "before the end"], ["half a copy", "before the rename", "after the rename", "before the end"]
)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]


class Client:
    """One client of one gateway."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.Client(base_url=f"{url}/api/v1", headers=KEY, timeout=END_SECONDS_MAX)

    def create(self, photo: Path, *, long: bool = False) -> str:
        url = f"data:image/png;base64,{base64.b64encode(photo.read_bytes()).decode()}"
        body = {
            "model": "framegate/animatic",
            "prompt": "slow push-in",
            "duration": 4 if long else 1,
            "fps": 30 if long else 8,
            "resolution": "360p",
            "input_references": [{"type": "image_url", "image_url": {"url": url}}],
        }
        answer = self.http.post("/videos", json=body)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def states(self, job: str):
        """The job's states, as they come."""
        with self.http.stream("GET", f"/videos/{job}/events") as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    yield event["state"], event["stage"]

    def until_rendering(self, job: str) -> None:
        assert ("running", "rendering") in self.states(job)

    def content(self, job: str) -> httpx2.Response:
        return self.http.get(f"/videos/{job}/content")

    def end(self, job: str) -> dict:
        answer = self.http.get(f"/videos/{job}", params={"wait": END_SECONDS_MAX})
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def client_of():
    with ExitStack() as stack:

        def make(gateway) -> Client:
            client = Client(gateway.url)
            stack.callback(client.http.close)
            return client

        yield make


@pytest.fixture
def cat(photos) -> Path:
    return next(photo for photo in photos if photo.suffix == ".png")


def renderers(gateway) -> list[int]:
    """The render processes of a gateway."""
    children = Path(f"/proc/{gateway.process.pid}/task").glob("*/children")
    pids = [int(pid) for file in children for pid in file.read_text().split()]
    return [pid for pid in pids if b"framegate.animatic" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def assert_whole(answer: httpx2.Response, frames: int) -> None:
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    with av.open(io.BytesIO(answer.content), "r") as container:
        assert sum(not frame.is_corrupt for frame in container.decode(video=0)) == frames


def unfinished_files(data: Path) -> list[Path]:
    return [path for folder in ("blobs/tmp", "renders") for path in (data / folder).iterdir()]


def test_a_render_whose_process_is_killed_is_repeated_and_its_job_completes(spawn_gateway, client_of, cat):
    gateway = spawn_gateway()
    client = client_of(gateway)
    job = client.create(cat, long=True)
    client.until_rendering(job)

    for pid in renderers(gateway):
        os.kill(pid, signal.SIGKILL)

    assert client.end(job)["status"] == "completed"
    assert [state for state, _ in client.states(job)].count("submitting") == 2
    assert_whole(client.content(job), LONG_FRAMES)
    assert unfinished_files(gateway.data_dir) == []


def test_renders_die_with_a_killed_gateway_and_are_repeated_by_the_next(spawn_gateway, client_of, cat):
    gateway = spawn_gateway()
    client = client_of(gateway)
    job = client.create(cat, long=True)
    client.until_rendering(job)
    handles = [os.pidfd_open(pid) for pid in renderers(gateway)]
    assert handles

    gateway.process.kill()

    for handle in handles:
        assert select.select([handle], [], [], DIE_SECONDS_MAX)[0], "a render outlived its gateway"
        os.close(handle)
    gateway.process.wait()
    client = client_of(spawn_gateway())
    assert client.end(job)["status"] == "completed"
    assert_whole(client.content(job), LONG_FRAMES)
    assert unfinished_files(gateway.data_dir) == []


@contextmanager
def cut_at(place: str, data: Path, log: Path):
    """A gateway that will be killed at that place; it yields its URL, and waits at the end for that death."""
    settings = {"data_dir": str(data), "port": 0, "api_key": "sk-test", "render_workers": 1}
    command = [sys.executable, str(CUT), json.dumps(settings), place]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as gateway,
    ):
        try:
            assert gateway.stdout
            url = gateway.stdout.readline().strip()
            assert url, log.read_text()
            yield url
            assert gateway.wait(END_SECONDS_MAX) == -signal.SIGKILL, log.read_text()
        finally:
            gateway.kill()


@pytest.mark.soak
@pytest.mark.parametrize("place", PLACES)
def test_a_kill_between_the_render_and_the_end_leaves_no_partial_file_and_the_job_completes(
    place, spawn_gateway, client_of, cat, tmp_path
):
    data = tmp_path / "data"
    with cut_at(place, data, tmp_path / "cut.log") as url:
        client = Client(url)
        job = client.create(cat)
        client.http.close()
    if place in ("half a copy", "before the rename"):
        assert unfinished_files(data), "the cut left nothing to clean"

    gateway = spawn_gateway(data_dir=data)
    client = client_of(gateway)
    early = client.content(job)  # whatever it is by now, it is not a half file
    if early.status_code != 409:
        assert_whole(early, 8)
    assert client.end(job)["status"] == "completed"
    assert_whole(client.content(job), 8)
    assert unfinished_files(data) == []


def test_a_truncated_blob_is_not_served(spawn_gateway, client_of, cat):
    gateway = spawn_gateway()
    client = client_of(gateway)
    job = client.create(cat)
    sha256 = client.end(job)["outputs"][0]["sha256"]
    kept = gateway.data_dir / "blobs" / sha256[:2] / sha256

    os.truncate(kept, kept.stat().st_size // 2)

    assert client.content(job).status_code == 410


def test_a_renderer_without_a_reader_exits_silently(tmp_path):
    command = [sys.executable, "-m", "framegate.animatic"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdin
        assert worker.stdout
        assert worker.stderr
        worker.stdout.readline()
        worker.stdout.close()
        worker.stdin.write('{"id": "a", "spec": {}}\n')
        worker.stdin.flush()

        assert worker.wait(END_SECONDS_MAX) == 1
        assert worker.stderr.read() == ""
