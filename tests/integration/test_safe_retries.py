"""A create that is repeated with its `Idempotency-Key` orders once in every API; a cancellation says what it costs."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from framegate.app.asgi import build_app
from framegate.config.settings import Settings

PROMPT = "a slow push in on a street"
FAL, FAL_ID = "/fal/queue/framegate/animatic", "request_id"
# Path and body of a create, where its response has the job's id, and status and code of a conflict of keys.
APIS: dict[str, tuple[str, dict[str, Any], str, int]] = {
    "native": ("/api/v1/videos", {"model": "framegate/animatic", "prompt": PROMPT, "duration": 1}, "id", 409),
    "phaseo": ("/phaseo/v1/videos", {"model": "framegate/animatic", "prompt": PROMPT, "duration": 1}, "id", 409),
    "pictory": (
        "/pictory/v1/aistudio/videos",
        {"model": "framegate/animatic", "prompt": PROMPT, "duration": "1s"},
        "jobId",
        409,
    ),
    "fal": (FAL, {"prompt": PROMPT, "duration": 1}, FAL_ID, 422),
}
CONFLICTS = {
    "native": lambda body: body["error"]["metadata"]["error_type"],
    "phaseo": lambda body: body["reason"],
    "pictory": lambda body: body["code"].lower(),
    "fal": lambda body: body["error_type"],
}


def id_in(response: Any, name: str) -> str:
    body = response.json()
    return body.get("data", body)[name]


@pytest.mark.parametrize("api", APIS)
def test_a_create_with_the_same_key_and_body_is_one_job_and_the_second_response_says_so(sandbox: TestClient, api: str):
    path, body, name, _ = APIS[api]
    headers = {"idempotency-key": f"one-{api}"}

    first = sandbox.post(path, json=body, headers=headers)
    again = sandbox.post(path, json=dict(reversed(body.items())), headers=headers)
    other = sandbox.post(path, json=body, headers={"idempotency-key": f"two-{api}"})

    assert first.is_success, first.text
    assert again.status_code == first.status_code
    assert id_in(again, name) == id_in(first, name) != id_in(other, name)
    assert [response.headers.get("idempotency-replayed") for response in (first, again, other)] == [None, "true", None]


@pytest.mark.parametrize("api", APIS)
def test_a_key_with_another_body_is_a_conflict_with_its_code(sandbox: TestClient, api: str):
    path, body, _, status = APIS[api]
    headers = {"idempotency-key": f"conflict-{api}"}
    sandbox.post(path, json=body, headers=headers)

    conflict = sandbox.post(path, json={**body, "prompt": "another street at night"}, headers=headers)

    assert conflict.status_code == status
    assert CONFLICTS[api](conflict.json()) == "idempotency_conflict"
    assert "idempotency-replayed" not in conflict.headers


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("key", [" ", "k" * 256, "caf\u00e9".encode("latin-1").decode("latin-1")])
def test_a_key_that_cannot_be_compared_is_rejected(sandbox: TestClient, api: str, key: str):
    path, body, _, _ = APIS[api]

    response = sandbox.post(path, json=body, headers=[(b"idempotency-key", key.encode("latin-1"))])

    assert response.status_code in (400, 422)
    assert "1 to 255 printable ASCII characters" in response.text


def test_a_key_outlives_the_end_of_its_job(sandbox: TestClient):
    path, body, _, _ = APIS["native"]
    headers = {"idempotency-key": "ended"}
    job = sandbox.post(path, json=body, headers=headers).json()
    sandbox.get(job["polling_url"], params={"wait": 60})

    again = sandbox.post(path, json=body, headers=headers)

    assert (again.json()["id"], again.json()["status"]) == (job["id"], "completed")
    assert again.headers["idempotency-replayed"] == "true"


def test_a_repeated_create_returns_its_job_while_no_new_one_would_be_accepted(tmp_path: Path):
    settings = Settings(data_dir=tmp_path, render_workers=1, sandbox=True, open_jobs_max=1)
    body = {"model": "framegate/animatic", "prompt": PROMPT, "duration": 60}
    with TestClient(build_app(settings), base_url="http://127.0.0.1:8787/api/v1") as client:
        job = client.post("/videos", json=body, headers={"idempotency-key": "one"}).json()

        full = client.post("/videos", json=body, headers={"idempotency-key": "two"})
        again = client.post("/videos", json=body, headers={"idempotency-key": "one"})
        other = client.post("/videos", json={**body, "duration": 59}, headers={"idempotency-key": "one"})

        assert full.status_code == 429
        assert (again.status_code, again.json()["id"]) == (202, job["id"])
        assert other.json()["error"]["metadata"]["error_type"] == "idempotency_conflict"
        client.post(f"/videos/{job['id']}/cancel")


CANCELS = {
    "native": ("POST", "/api/v1/videos/{}/cancel", 409, 404),
    "phaseo": ("POST", "/phaseo/v1/videos/{}/cancel", 409, 404),
    "fal": ("PUT", "/fal/queue/google/veo-3.1/requests/{}/cancel", 400, 404),
}


@pytest.mark.parametrize("api", CANCELS)
def test_a_cancellation_tells_ended_from_unknown_and_what_the_job_costs(sandbox: TestClient, api: str):
    method, path, ended, unknown = CANCELS[api]
    create, body, _, _ = APIS["native"]
    job = sandbox.post(create, json={**body, "model": "google/veo-3.1", "duration": 4}).json()
    sandbox.get(job["polling_url"], params={"wait": 60})

    over = sandbox.request(method, path.format(job["id"]))
    missing = sandbox.request(method, path.format("01900000-0000-7000-8000-000000000000"))

    assert (over.status_code, missing.status_code) == (ended, unknown)
    assert "already completed and cannot be cancelled. It costs $0.00." in over.text
    assert "cannot be cancelled" not in missing.text
