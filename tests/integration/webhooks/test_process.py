"""Real gateways in processes of their own: killed at exact places, and searched for keys afterwards."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from standardwebhooks import Webhook

from support.webhook_receiver import receiving

pytestmark = pytest.mark.slow
CUT = Path(__file__).with_name("cut_gateway.py")
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEGATE_")}
OPERATOR_KEY = "sk-operator-3f9c1d"
WAIT_SECONDS_MAX = 60


@contextmanager
def gateway(folder: Path, *, place: str = "nowhere") -> Iterator[tuple[httpx2.Client, subprocess.Popen[str]]]:
    """A client of a gateway in a process of its own, and the process."""
    settings = {
        "data_dir": str(folder / "data"),
        "port": 0,
        "api_key": OPERATOR_KEY,
        "render_workers": 1,
        "allow_private_addresses": True,
    }
    with (folder / "log").open("a") as log:
        command = [sys.executable, str(CUT), json.dumps(settings), place]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=ENVIRON)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, (folder / "log").read_text()[-2000:]
        headers = {"authorization": f"Bearer {OPERATOR_KEY}"}
        with httpx2.Client(
            base_url=f"{url}/api/v1", headers=headers, timeout=WAIT_SECONDS_MAX, trust_env=False
        ) as client:
            yield client, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_SECONDS_MAX)
        process.stdout.close()


def cancelled(client: httpx2.Client, photo: Path, callback_url: str, **headers: str) -> str:
    """The id of a job that has ended."""
    url = client.post("/assets", content=photo.read_bytes(), headers={"content-type": "image/png", **headers}).json()[
        "url"
    ]
    body = {
        "model": "framegate/animatic",
        "prompt": "pan left",
        "duration": 10,
        "input_references": [{"type": "image_url", "image_url": {"url": url}}],
        "callback_url": callback_url,
    }
    job = client.post("/videos", json=body, headers=headers).json()["id"]
    with suppress(httpx2.HTTPError):  # killed before it could answer
        client.post(f"/videos/{job}/cancel", headers=headers)
    return job


def test_the_webhook_of_a_completed_job_has_urls_that_work_without_the_key(tmp_path, photos):
    with receiving() as receiver, gateway(tmp_path) as (client, _):
        url = client.post("/assets", content=photos[0].read_bytes(), headers={"content-type": "image/png"}).json()[
            "url"
        ]
        body = {
            "model": "framegate/animatic",
            "prompt": "pan left",
            "duration": 1,
            "resolution": "360p",
            "input_references": [{"type": "image_url", "image_url": {"url": url}}],
            "callback_url": receiver.url,
        }
        job = client.post("/videos", json=body).json()
        told = receiver.wait(1)[0].json["data"]
        shown = client.get(f"/videos/{job['id']}").json()
        video = httpx2.get(told["unsigned_urls"][0], trust_env=False)

    assert told["status"] == "completed"
    assert told.keys() == {"id", "status", "generation_id", "model", "unsigned_urls", "usage"}
    assert video.status_code == 200
    assert len(video.content) == shown["outputs"][0]["bytes"]


def delivered(client: httpx2.Client, job: str) -> dict:
    """The job's only webhook, once it was taken."""
    while True:
        (webhook,) = client.get(f"/videos/{job}/webhooks").json()["data"]
        if webhook["state"] == "delivered":
            return webhook


def test_a_gateway_killed_before_it_sends_a_webhook_sends_it_once_after_the_restart(tmp_path, photos):
    with receiving() as receiver:
        with gateway(tmp_path, place="before it is sent") as (client, process):
            job = cancelled(client, photos[0], receiver.url)
            assert process.wait(WAIT_SECONDS_MAX) == -signal.SIGKILL
        assert receiver.got == []
        with gateway(tmp_path) as (client, _):
            webhook = delivered(client, job)
            secret = client.get("/webhooks/secret").json()["secret"]

        (got,) = receiver.got
    assert got.id == webhook["id"]
    assert got.json["data"]["id"] == job
    assert Webhook(secret).verify(got.raw, got.headers)["type"] == "video.generation.cancelled"


def test_a_gateway_killed_before_it_records_a_response_sends_again_with_the_same_id(tmp_path, photos):
    with receiving() as receiver:
        with gateway(tmp_path, place="before it is noted") as (client, process):
            job = cancelled(client, photos[0], receiver.url)
            assert process.wait(WAIT_SECONDS_MAX) == -signal.SIGKILL
        with gateway(tmp_path) as (client, _):
            webhook = delivered(client, job)

        first, second = receiver.got
    assert first.id == second.id == webhook["id"]
    assert first.raw == second.raw
    assert len(webhook["attempts"]) == 1


def framegate(*arguments: str) -> str:
    command = [sys.executable, "-m", "framegate", *arguments]
    return subprocess.run(command, env=ENVIRON, capture_output=True, text=True, check=True, timeout=60).stdout


def test_no_key_is_found_in_anything_that_the_gateway_wrote(tmp_path, photos):
    data = str(tmp_path / "data")
    answers: list[str] = []
    with receiving() as receiver, gateway(tmp_path) as (client, _):
        key = framegate("keys", "create", "--owner", "acme", "--data", data).strip()
        gone = framegate("keys", "create", "--data", data).strip()
        headers = {"authorization": f"Bearer {key}"}
        job = cancelled(client, photos[0], f"{receiver.url}/hook?token=tok-5d1e", **headers)
        receiver.wait(1)
        for path in (f"/videos/{job}", f"/videos/{job}/webhooks", f"/videos/{job}/events", "/videos", "/nowhere"):
            sent = (key, gone, key[:-1], f"{OPERATOR_KEY}x", OPERATOR_KEY)
            answers += [client.get(path, headers={"authorization": f"Bearer {one}"}).text for one in sent]
        answers.append(
            client.post("/videos", content=b"{", headers={**headers, "content-type": "application/json"}).text
        )
        framegate("keys", "revoke", gone.split("_")[1], "--data", data)
        while (refused := client.get("/videos", headers={"authorization": f"Bearer {gone}"})).status_code != 401:
            pass  # within five seconds
        answers += [
            refused.text,
            framegate("keys", "list", "--data", data),
            framegate("keys", "list", "--json", "--data", data),
        ]
        answers += [str(one.headers) + one.raw.decode() for one in receiver.got]
        signing = framegate("keys", "webhook-secret", "--owner", "acme", "--data", data).strip()
        assert signing == client.get("/webhooks/secret", headers=headers).json()["secret"]
        assert refused.json()["error"]["metadata"]["error_type"] == "key_revoked"

    assert "tok-5d1e" not in (tmp_path / "log").read_text()  # it is in the store, for the owner to see
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"/webhooks" in one for one in written)  # the log is among them
    for secret in (key.split("_", 2)[2], gone.split("_", 2)[2], OPERATOR_KEY, signing.removeprefix("whsec_")):
        assert all(secret.encode() not in one for one in written)
        assert all(secret not in answer for answer in answers)
