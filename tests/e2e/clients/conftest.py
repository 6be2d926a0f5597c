"""Gateways and jobs for the clients of other services, which are unmodified but for base URL and key."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.fal_gateway import APP, submit, video_input, wait_until_ended
from support.served_gateway import SHORT_RENDERS, ServedGateway, served

JS = Path(__file__).parent / "js"
NPM_SECONDS = 300


@pytest.fixture(scope="session")
def api(served_gateway: ServedGateway) -> Iterator[httpx2.Client]:
    """A plain HTTP client of the gateway, for what OpenRouter's clients cannot express."""
    with served_gateway.client() as client:
        yield client


@pytest.fixture(scope="session")
def asset(api: httpx2.Client, photos: tuple[Path, ...]) -> str:
    """URL of a photo that was uploaded to the gateway."""
    answer = api.post("/assets", content=photos[0].read_bytes(), headers={"content-type": "application/octet-stream"})
    return answer.json()["url"]


@pytest.fixture(scope="session")
def sandbox_gateway(tmp_path_factory: pytest.TempPathFactory, until_group_ends: ExitStack) -> ServedGateway:
    """A sandbox that stands in for every service; references and webhooks may be on this machine."""
    folder = tmp_path_factory.mktemp("sandbox-gate")
    settings = {"sandbox": True, "allow_private_addresses": True}
    gateway = served(folder / "data", folder / "log", key="pictai_sk-test", prelude=SHORT_RENDERS, **settings)
    return until_group_ends.enter_context(gateway)


@pytest.fixture(scope="session")
def sandbox_asset(sandbox_gateway: ServedGateway, photos: tuple[Path, ...]) -> str:
    """URL of a photo that was uploaded to the sandbox."""
    headers = {"content-type": "application/octet-stream"}
    with sandbox_gateway.client() as client:
        return client.post("/assets", content=photos[0].read_bytes(), headers=headers).json()["url"]


@pytest.fixture
def cancelled_job(api: httpx2.Client, asset: str) -> str:
    """The id of a cancelled job."""
    job = api.post("/videos", json={**_wanted(asset), "duration": 60}).json()
    assert api.post(f"/videos/{job['id']}/cancel").json().get("status") == "cancelled"
    return job["id"]


@pytest.fixture
def unfinished_job(api: httpx2.Client, asset: str) -> Iterator[str]:
    """The id of a job that runs when the test begins: a minute of video takes many seconds."""
    job = api.post("/videos", json={**_wanted(asset), "duration": 60}).json()
    yield job["id"]
    assert api.post(f"/videos/{job['id']}/cancel").status_code in (200, 409)  # 409: it has ended


def _wanted(asset: str) -> dict[str, Any]:
    reference = {"type": "image_url", "image_url": {"url": asset}}
    request = {"model": "framegate/animatic", "prompt": "slow push in", "resolution": "480p"}
    return {**request, "input_references": [reference]}


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run a script of `js/` with Node.js, its packages installed as the lock file says."""
    return _node(JS, tmp_path_factory.mktemp("js"))


@pytest.fixture(scope="session")
def ai7_node(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run a script of `js/ai7/`: version 7 of the AI SDK cannot be installed beside version 6."""
    return _node(JS / "ai7", tmp_path_factory.mktemp("ai7"))


def _node(scripts: Path, folder: Path) -> Callable[..., str]:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("waits for Node.js and npm, which are not on this machine")
    for file in scripts.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    installed = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=NPM_SECONDS,
        check=False,
    )
    if installed.returncode:
        pytest.skip(f"waits for a package registry that npm can reach: {installed.stderr[-300:]}")

    def run(script: str, *arguments: str, first: str = "", env: Mapping[str, str] | None = None) -> str:
        command = ["node", *(["--import", first] if first else []), script, *arguments]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, env=env and dict(env)
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


# -- fal


@pytest.fixture(scope="session")
def sandbox(sandbox_gateway: ServedGateway) -> ServedGateway:
    """The same sandbox, for the tests of fal's clients."""
    return sandbox_gateway


@pytest.fixture(scope="session")
def fal(sandbox: ServedGateway) -> Iterator[httpx2.Client]:
    """A plain HTTP client of the dialect, for what fal's clients have no words for."""
    headers = {"authorization": f"Key {sandbox.key}"}
    with httpx2.Client(base_url=f"{sandbox.url}/fal", headers=headers, timeout=70, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def picture(fal: httpx2.Client, photos: tuple[Path, ...]) -> str:
    """A photo at an address of the sandbox."""
    photo = next(path for path in photos if path.suffix == ".jpg")
    answer = fal.post("/cdn/files/upload", content=photo.read_bytes(), headers={"content-type": "image/jpeg"})
    return answer.json()["access_url"]


@pytest.fixture(scope="session")
def failed(fal: httpx2.Client) -> str:
    """A request whose picture cannot be fetched, once that is known."""
    request_id = submit(fal, video_input("http://127.0.0.1:9/nothing.png"))
    assert wait_until_ended(fal, request_id)["error_type"] == "file_download_error"
    return request_id


@pytest.fixture(scope="session")
def cancelled(fal: httpx2.Client, picture: str) -> str:
    """A request that was stopped."""
    request_id = submit(fal, video_input(picture, duration=15))
    assert fal.put(f"/queue/{APP}/requests/{request_id}/cancel").status_code == 200
    return request_id


@pytest.fixture
def unfinished(fal: httpx2.Client, picture: str) -> Iterator[str]:
    """A request that is not over when the test begins."""
    request_id = submit(fal, video_input(picture, duration=15, resolution="720p"))
    yield request_id
    assert fal.put(f"/queue/{APP}/requests/{request_id}/cancel").status_code in (200, 202, 400)


@pytest.fixture(scope="session")
def plain_node() -> Callable[..., str]:
    """Run a script of `js/` that needs no packages."""
    if shutil.which("node") is None:
        pytest.skip("waits for Node.js, which is not on this machine")

    def run(script: str, *arguments: str) -> str:
        done = subprocess.run(
            ["node", script, *arguments], cwd=JS, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    return run
