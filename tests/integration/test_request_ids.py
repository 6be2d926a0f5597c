"""Request ids and the log of jobs."""

import logging
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from framegate.telemetry.logging import FIELDS
from support.opened import parts_of

PATHS = [
    "/healthz",
    "/api/v1/videos",
    "/api/v1/nothing",
    "/fal/queue/x/requests/1",
    "/phaseo/v1/videos",
    "/pictory/v1/jobs",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_response_has_a_sane_request_id_and_keeps_the_one_of_the_client(gateway: TestClient, path: str):
    url = f"http://127.0.0.1{path}"
    made, kept = gateway.get(url), gateway.get(url, headers={"x-request-id": "trace-1.a:b"})
    replaced = [gateway.get(url, headers={"x-request-id": bad}) for bad in ("x" * 129, "a b", "<script>", "")]

    assert kept.headers["x-request-id"] == "trace-1.a:b"
    ids = {answer.headers["x-request-id"] for answer in (made, *replaced)}
    assert len(ids) == 5
    assert {len(request_id) for request_id in ids} == {36}


def test_a_job_has_one_log_line_for_each_state_and_a_failed_one_is_a_warning(
    gateway: TestClient, photo: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "framegate.job")
    reference = {"type": "image_url", "image_url": {"url": photo}}
    body = {"model": "framegate/animatic", "prompt": "push in", "duration": 1, "resolution": "360p"}
    good = gateway.post("/videos", json=body | {"input_references": [reference]}).json()
    bad_reference = {"type": "image_url", "image_url": {"url": "https://nosuch.invalid/a.png"}}
    bad = gateway.post("/videos", json=body | {"input_references": [bad_reference]}).json()
    for job in (good, bad):
        gateway.get(f"/videos/{job['id']}", params={"wait": 60})

    lines = {
        job["id"]: [record for record in caplog.records if getattr(record, FIELDS, {}).get("job") == job["id"]]
        for job in (good, bad)
    }
    states = [getattr(line, FIELDS)["state"] for line in lines[good["id"]]]
    assert states[0] == "queued"
    assert states[-1] == "completed"
    assert len(states) == len(set(states))
    last = lines[bad["id"]][-1]
    assert last.levelno == logging.WARNING
    assert getattr(last, FIELDS)["error_code"] == "reference_unreachable"
    assert "owner" in last.getMessage()


def test_an_internal_error_names_the_request_and_has_its_header(
    open_gateway: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
):
    client = open_gateway()

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(parts_of(client).jobs, "list", broken)
    monkeypatch.setattr(client._transport, "raise_server_exceptions", False)
    response = client.get("/videos", headers={"x-request-id": "trace-9"})

    assert response.status_code == 500
    assert "trace-9" in response.json()["error"]["message"]
    assert response.headers["x-request-id"] == "trace-9"
