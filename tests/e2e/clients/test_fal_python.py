"""The PyPI package `fal-client`, unmodified, against a served sandbox."""

import asyncio
import datetime as dt
import gc
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import fal_client
import fal_client.client as fal_module
import httpx
import pytest
from fal_client.client import FalClientHTTPError

from support.fal_gateway import ENDPOINT, video_input
from support.pages import blocks, example, page, readme
from support.served_gateway import ServedGateway
from support.tls_front import Front

pytestmark = [
    pytest.mark.slow,
    # The package never closes the connections by which it uploads: they end as garbage, each with a warning.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
BY_ENVIRONMENT = """
import sys, fal_client
body = {"prompt": "push in", "reference_image_urls": [fal_client.encode_file(sys.argv[2])], "duration": 1}
print(fal_client.subscribe(sys.argv[1], arguments=body)["video"]["content_type"])
"""


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """What a test leaves behind is garbage within that test, not in a later one."""
    yield
    gc.collect()


@pytest.fixture
def point(monkeypatch: pytest.MonkeyPatch) -> Callable[[ServedGateway], str]:
    """Point the package at a gateway, by the names that it reads its addresses from."""

    def here(gateway: ServedGateway) -> str:
        base = f"{gateway.url}/fal"
        monkeypatch.setattr(fal_module, "QUEUE_URL_FORMAT", f"{base}/queue/")
        monkeypatch.setattr(fal_module, "RUN_URL_FORMAT", f"{base}/run/")
        monkeypatch.setattr(fal_module, "REST_URL", f"{base}/rest")
        monkeypatch.setattr(fal_module, "CDN_URL", f"{base}/cdn")
        return base

    return here


@pytest.fixture
def client(sandbox: ServedGateway, point: Callable[[ServedGateway], str]) -> Iterator[fal_client.SyncClient]:
    point(sandbox)
    client = fal_client.SyncClient(key=sandbox.key)
    yield client
    client._client.close()


def decoded(url: str) -> int:
    """How many frames lie at an address, for whoever asks."""
    content = httpx.get(url).content
    with av.open(io.BytesIO(content), "r") as video:
        return sum(1 for _ in video.decode(video=0))


def test_uploads_submits_follows_and_fetches(client: fal_client.SyncClient, photos: tuple[Path, ...]):
    url = client.upload_file(next(path for path in photos if path.suffix == ".jpg"))
    handle = client.submit(ENDPOINT, video_input(url))
    result = handle.get()

    assert decoded(result["video"]["url"]) == 24
    assert result == client.result(ENDPOINT, handle.request_id)
    done = client.status(ENDPOINT, handle.request_id, with_logs=True)
    assert isinstance(done, fal_client.Completed)
    assert (done.error, done.error_type) == (None, None)
    assert done.metrics["inference_time"] > 0
    assert [line["message"] for line in done.logs or ()][-1] == "completed 100%"


def test_subscribes_and_is_told_every_step_with_its_logs(client: fal_client.SyncClient, picture: str):
    told: list[fal_client.Status] = []
    result = client.subscribe(ENDPOINT, video_input(picture), with_logs=True, on_queue_update=told.append)

    assert decoded(result["video"]["url"]) == 24
    assert isinstance(told[-1], fal_client.Completed)
    working = [status for status in told if isinstance(status, fal_client.InProgress)]
    assert working
    assert all(status.logs for status in working)
    assert len(working[-1].logs or ()) >= len(working[0].logs or ())


def test_runs_at_once_and_streams(client: fal_client.SyncClient, picture: str):
    assert decoded(client.run(ENDPOINT, video_input(picture))["video"]["url"]) == 24
    events = list(client.stream(ENDPOINT, video_input(picture)))
    assert [event["status"] for event in events[:-1]] == ["IN_PROGRESS"] * (len(events) - 1)
    assert decoded(events[-1]["video"]["url"]) == 24


def test_a_data_uri_is_taken_as_an_address_is(client: fal_client.SyncClient, photos: tuple[Path, ...]):
    uri = fal_client.encode_file(photos[0])
    assert decoded(client.subscribe(ENDPOINT, video_input(uri))["video"]["url"]) == 24


def test_a_video_of_ours_can_be_the_reference_of_the_next(client: fal_client.SyncClient, picture: str):
    first = client.subscribe(ENDPOINT, video_input(picture))["video"]["url"]
    body = {"prompt": "go on from @Video1", "video_urls": [first], "duration": "5", "resolution": "720p"}
    assert decoded(client.subscribe("wan/v2.6/reference-to-video", body)["video"]["url"]) == 120


def test_large_files_go_up_in_parts(
    client: fal_client.SyncClient, photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fal_module, "MULTIPART_THRESHOLD", 1000)
    monkeypatch.setattr(fal_module, "MULTIPART_CHUNK_SIZE", 50_000)
    photo = next(path for path in photos if path.suffix == ".jpg")
    url = client.upload(photo.read_bytes(), "image/jpeg", "a photo.jpg")

    assert httpx.get(url).content == photo.read_bytes()


def test_an_upload_that_the_cdn_refuses_goes_by_the_other_way(client: fal_client.SyncClient, photos: tuple[Path, ...]):
    url = client.upload_file(photos[0], repository="fal")
    assert httpx.get(url).content == photos[0].read_bytes()


def test_the_asynchronous_client_does_the_same(
    sandbox: ServedGateway, point: Callable[[ServedGateway], str], photos: tuple[Path, ...]
):
    point(sandbox)

    async def way() -> tuple[dict[str, Any], list[fal_client.Status], dict[str, Any], list[dict[str, Any]]]:
        client = fal_client.AsyncClient(key=sandbox.key)
        told: list[fal_client.Status] = []
        url = await client.upload_file(photos[0])
        made = await client.subscribe(ENDPOINT, video_input(url), with_logs=True, on_queue_update=told.append)
        run = await client.run(ENDPOINT, video_input(url))
        events = [event async for event in client.stream(ENDPOINT, video_input(url))]
        await (await client._client).aclose()
        return made, told, run, events

    made, told, run, events = asyncio.run(way())
    assert isinstance(told[-1], fal_client.Completed)
    assert [decoded(one["video"]["url"]) for one in (made, run, events[-1])] == [24, 24, 24]


def test_a_refused_request_raises_its_own_error_with_our_message(client: fal_client.SyncClient, picture: str):
    with pytest.raises(FalClientHTTPError, match="`duration` must be at most 15") as refusal:
        client.submit(ENDPOINT, video_input(picture, duration=99))
    assert refusal.value.status_code == 422
    with pytest.raises(FalClientHTTPError, match="Endpoint not found: `fal-ai/no-such-thing`"):
        client.submit("fal-ai/no-such-thing", {})


def test_a_failed_request_is_completed_and_its_result_raises(client: fal_client.SyncClient, failed: str):
    status = client.status(ENDPOINT, failed)
    assert isinstance(status, fal_client.Completed)
    assert "127.0.0.1" in (status.error or "")
    with pytest.raises(FalClientHTTPError, match=r"127\.0\.0\.1") as failure:
        client.result(ENDPOINT, failed)
    assert failure.value.status_code == 422


def test_a_cancelled_request_is_completed_and_its_result_raises(client: fal_client.SyncClient, picture: str):
    handle = client.submit(ENDPOINT, video_input(picture, duration=15))
    handle.cancel()
    with pytest.raises(FalClientHTTPError, match="The job was cancelled") as failure:
        handle.get()
    assert (failure.value.status_code, failure.value.error_type) == (499, "client_cancelled")


def test_an_expired_request_is_completed_and_its_result_raises(
    serve_gateway: Callable[..., ServedGateway], point: Callable[[ServedGateway], str], photos: tuple[Path, ...]
):
    gateway = serve_gateway(sandbox=True, job_deadline_seconds=1)
    point(gateway)
    client = fal_client.SyncClient(key=gateway.key)
    handle = client.submit(ENDPOINT, video_input(client.upload_file(photos[0]), duration=15, resolution="720p"))
    with pytest.raises(FalClientHTTPError, match="did not end within 1 seconds") as failure:
        handle.get()
    assert (failure.value.status_code, failure.value.error_type) == (504, "request_timeout")
    client._client.close()


def test_a_client_that_gives_up_waiting_has_its_request_cancelled(client: fal_client.SyncClient, picture: str):
    with pytest.raises(fal_client.FalClientTimeoutError) as late:
        client.subscribe(ENDPOINT, video_input(picture, duration=15, resolution="720p"), client_timeout=1.5)
    status = client.status(ENDPOINT, late.value.request_id or "")
    assert isinstance(status, fal_client.Completed)
    assert status.error_type == "client_cancelled"


def test_a_wrong_key_raises(sandbox: ServedGateway, point: Callable[[ServedGateway], str]):
    point(sandbox)
    client = fal_client.SyncClient(key="wrong")
    with pytest.raises(FalClientHTTPError, match="Missing or invalid API key") as refusal:
        client.submit(ENDPOINT, {})
    assert refusal.value.status_code == 401
    client._client.close()


def test_by_the_environment_alone_over_tls(
    serve_gateway: Callable[..., ServedGateway], photos: tuple[Path, ...], tmp_path: Path
):
    """Its hosts may have a path, but its scheme is https: a front with a certificate stands before the gateway."""
    with Front(tmp_path).listening() as front:
        gateway = serve_gateway(sandbox=True, public_url=f"https://127.0.0.1:{front.port}")
        front.target = gateway.url
        environ = {
            **os.environ,
            "FAL_KEY": gateway.key,
            "FAL_RUN_HOST": f"127.0.0.1:{front.port}/fal/run",
            "FAL_QUEUE_RUN_HOST": f"127.0.0.1:{front.port}/fal/queue",
            "SSL_CERT_FILE": str(front.certificate),
        }
        done = subprocess.run(
            [sys.executable, "-c", BY_ENVIRONMENT, ENDPOINT, str(photos[0])],
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.stdout.strip(), done.returncode) == ("video/mp4", 0), done.stderr


def test_the_token_for_uploads_says_when_it_ends(sandbox: ServedGateway):
    headers = {"authorization": f"Key {sandbox.key}"}
    token = httpx.post(f"{sandbox.url}/fal/rest/storage/auth/token", headers=headers, json={}).json()
    assert dt.datetime.fromisoformat(token["expires_at"]) > dt.datetime.now(dt.UTC)


def test_the_example_of_the_docs_runs(
    sandbox: ServedGateway, point: Callable[[ServedGateway], str], photos: tuple[Path, ...], tmp_path: Path
):
    point(sandbox)  # what the example sets is set back after the test
    code = example(page("guides/fal.md"))
    for written, meant in (
        ("http://127.0.0.1:8787", sandbox.url),
        ('"KEY"', repr(sandbox.key)),
        ('"a.jpg"', repr(str(photos[0]))),
    ):
        assert written in code
        code = code.replace(written, meant)
    seen: dict[str, Any] = {}
    exec(compile(code, "docs/guides/fal.md", "exec"), seen)

    assert decoded(seen["video"]) == 192


def test_the_example_of_the_readme_runs(sandbox: ServedGateway, point: Callable[[ServedGateway], str]):
    point(sandbox)
    (code,) = [block for block in blocks(readme(), "python") if "fal_client" in block]
    code = code.replace("http://127.0.0.1:8787", sandbox.url).replace('"any"', repr(sandbox.key))
    seen: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), seen)

    assert decoded(seen["result"]["video"]["url"]) == 24
