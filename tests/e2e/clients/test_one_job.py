"""However often a client asks again because no answer came: one job. However alike two requests are: two jobs."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from support.breaking_proxy import BAD_GATEWAY, breaking
from support.served_gateway import served_here

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the package's own imports warn of what it will change
    from openrouter import OpenRouter
    from openrouter.utils import BackoffStrategy, RetryConfig

pytestmark = pytest.mark.slow
WANTED = {"model": "framegate/animatic", "prompt": "slow push in", "duration": 1, "resolution": "360p"}
QUICK = RetryConfig("backoff", BackoffStrategy(50, 200, 1.5, 20_000), retry_connection_errors=True)

# A gateway that dies behind the commit of its first create, before the answer.
DIES_UNANSWERED = """
import json, os, signal, socket, sys
from framegate.app.server import run
from framegate.config.settings import Settings
from framegate.store import Store
real = Store.insert
async def insert(self, *args, **more):
    await real(self, *args, **more)
    os.kill(os.getpid(), signal.SIGKILL)
Store.insert = insert
settings = Settings(**json.loads(sys.argv[1]))
listener = socket.create_server((settings.host, settings.port))
run(settings, listener, on_ready=lambda url: print(url, flush=True), log_level="warning")
"""


@pytest.fixture
def gateway(tmp_path):
    with served_here(tmp_path / "data", key="key-1") as gateway:
        yield gateway


def jobs_of(gateway) -> list[str]:
    with gateway.client() as client:
        return [job["id"] for job in client.get("/videos").json()["data"]]


def test_openrouters_client_whose_connection_broke_gets_the_job_that_was_made(gateway):
    with (
        breaking(gateway.url, breaks=2, says=BAD_GATEWAY) as relay,
        OpenRouter(api_key=gateway.key, server_url=f"{relay.url}/api/v1", retry_config=QUICK) as client,
    ):
        job = client.video_generation.generate(**WANTED)
        again = client.video_generation.generate(**WANTED)

    assert relay.broken == 2
    assert sorted(jobs_of(gateway)) == sorted([job.id, again.id])
    assert job.id != again.id  # its answer arrived, so the same request once more is another wish


def test_fals_client_whose_connection_broke_gets_the_job_that_was_made(gateway, monkeypatch):
    fal = pytest.importorskip("fal_client")
    with breaking(gateway.url, breaks=2) as relay:
        monkeypatch.setattr(fal.client, "QUEUE_URL_FORMAT", f"{relay.url}/fal/queue/")
        client = fal.SyncClient(key=gateway.key)
        handle = client.submit("framegate/animatic", arguments={"prompt": "slow push in"})
        client._client.close()

    assert relay.broken == 2
    assert jobs_of(gateway) == [handle.request_id]


def test_a_create_of_before_the_gateway_was_killed_is_found_by_the_client_that_asks_again(tmp_path):
    given = json.dumps({"data_dir": str(tmp_path / "data"), "port": 0, "api_key": "key-1"})
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEGATE_")}
    dying = subprocess.Popen(
        [sys.executable, "-c", DIES_UNANSWERED, given], stdout=subprocess.PIPE, text=True, env=environ
    )
    assert dying.stdout is not None
    with dying:
        videos = f"{dying.stdout.readline().strip()}/api/v1/videos"
        with pytest.raises(httpx2.HTTPError):
            httpx2.post(videos, json=WANTED, headers={"authorization": "Bearer key-1"}, timeout=60)
    assert dying.returncode == -signal.SIGKILL

    with served_here(tmp_path / "data", key="key-1") as gateway:
        with gateway.client() as client:
            [before] = jobs_of(gateway)
            again = client.post("/videos", json=WANTED).json()["id"]
            another = client.post("/videos", json={**WANTED, "prompt": "slow pan left"}).json()["id"]

        assert again == before
        assert sorted(jobs_of(gateway)) == sorted([before, another])


def test_a_client_that_gave_up_on_a_slow_create_gets_its_job_when_it_asks_again(gateway):
    body = json.dumps(WANTED).encode()
    head = f"POST /api/v1/videos HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {gateway.key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    split = httpx2.URL(gateway.url)
    with socket.create_connection((split.host, split.port)) as impatient:
        impatient.sendall(head.encode() + body)
    deadline = time.monotonic() + 20
    while not jobs_of(gateway):
        assert time.monotonic() < deadline
    [before] = jobs_of(gateway)

    with gateway.client() as client:
        raw = {"content-type": "application/json"}
        again = client.post("/videos", content=body, headers=raw).json()["id"]
        third = client.post("/videos", content=body, headers=raw).json()["id"]

    assert again == before
    assert third != before


def test_clients_that_ask_the_same_at_once_each_get_a_job(gateway):
    def create(_):
        with gateway.client() as client:
            return client.post("/videos", json=WANTED).json()["id"]

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(create, range(8)))

    assert len(ids) == 8
    assert sorted(jobs_of(gateway)) == sorted(ids)
