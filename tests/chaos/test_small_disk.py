"""A gateway on a real file system that is full, beside one in another folder that is not."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.paths import PHOTOS
from support.served_gateway import ServedGateway

pytestmark = pytest.mark.slow
SIZE_BYTES = 24 * 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "none", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("waits for the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take every byte that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        size = 2**20
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2
    return filler


NATIVE = "/api/v1/videos"
CREATES = {  # path: (scheme of the key, body)
    NATIVE: ("Bearer ", {"model": "framegate/animatic", "prompt": "slow push in", "duration": 1}),
    "/phaseo/v1/videos": ("Bearer ", {"model": "framegate/animatic", "prompt": "slow push in", "duration": 1}),
    "/pictory/v1/aistudio/videos": ("", {"prompt": "slow push in"}),
    "/fal/queue/framegate/animatic": ("Key ", {"prompt": "slow push in", "duration": 1}),
}


def test_a_full_disk_is_a_507_in_every_api_and_the_next_job_works_when_there_is_room(
    serve_gateway: Callable[..., ServedGateway], small_disk: Path, caplog: pytest.LogCaptureFixture
):
    gateway = serve_gateway(data_dir=small_disk / "data", renders=False, sandbox=True, disk_free_bytes_min=2**20)
    picture = (PHOTOS / "cat.png").read_bytes()
    with gateway.client() as client:
        filler = fill(small_disk)
        answers = {
            path: client.post(f"{gateway.url}{path}", json=body, headers={"authorization": scheme + gateway.key})
            for path, (scheme, body) in CREATES.items()
        }
        upload = client.post("/assets", content=picture, headers={"content-type": "image/png"})
        ready = client.get(f"{gateway.url}/readyz")

        assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(CREATES, 507)
        assert all("no space left" in answer.text for answer in (*answers.values(), upload, ready))
        assert (upload.status_code, ready.status_code) == (507, 507)
        assert client.get(f"{gateway.url}/healthz").status_code == 200
        assert str(small_disk) not in json.dumps([answer.text for answer in answers.values()])

        filler.unlink()
        assert client.get(f"{gateway.url}/readyz").status_code == 200
        made = client.post("/videos", json=CREATES[NATIVE][1])
        assert client.get(made.json()["polling_url"], params={"wait": 30}).json()["status"] == "completed"
    assert "Traceback" not in caplog.text
