"""Requests as clients, browsers and load balancers write them: slashes, preflights, HTTP/1.0."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from support.opened import app_of

ORIGIN = "https://app.example"
PREFLIGHT = {"origin": ORIGIN, "access-control-request-method": "POST"}


@pytest.fixture
def root(open_gateway: Callable[..., TestClient]) -> TestClient:
    client = open_gateway(allowed_origins=(ORIGIN,), api_key="k")
    client.base_url = client.base_url.copy_with(path="/")
    return client


@pytest.mark.parametrize(
    ("path", "same"),
    [
        ("//healthz", "/healthz"),
        ("/healthz/", "/healthz"),
        ("/api//v1///videos/models/", "/api/v1/videos/models"),
        ("/phaseo/v1//videos/models", "/phaseo/v1/videos/models"),
        ("/pictory//v1/jobs//", "/pictory/v1/jobs"),
        ("/api/v1/videos/", "/api/v1/videos"),
        ("/fal/queue//framegate/animatic/", "/fal/queue/framegate/animatic"),
        ("/api/v1/", "/api/v1"),
    ],
)
def test_repeated_slashes_and_a_slash_at_the_end_do_not_count(root: TestClient, path: str, same: str):
    headers = {"authorization": "Bearer k"}
    sent = root.build_request("GET", "http://testserver/", headers=headers)

    answers: list[tuple[int, str]] = []
    for each in (path, same):
        sent.url = sent.url.copy_with(raw_path=each.encode())
        answer = root.send(sent, follow_redirects=False)
        answers.append((answer.status_code, answer.text if answer.status_code != 200 else ""))

    assert answers[0] == answers[1]
    assert answers[0][0] in (200, 401, 404, 405)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"access-control-request-headers": "authorization, content-type, idempotency-key, x-fal-target-url"},
        {"access-control-request-private-network": "true"},
        {"access-control-request-method": "DELETE"},
        {"access-control-request-method": "PUT", "access-control-request-headers": "x-anything"},
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/videos", "/fal/queue/framegate/animatic", "/phaseo/v1/videos", "/healthz"])
def test_every_preflight_of_an_allowed_page_is_answered(root: TestClient, path: str, headers: dict[str, str]):
    answer = root.options(f"http://testserver{path}", headers=PREFLIGHT | headers)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    asked = headers.get("access-control-request-headers", "")
    assert all(name in answer.headers.get("access-control-allow-headers", "") for name in asked.split(", "))
    assert headers.get("access-control-request-method", "POST") in answer.headers["access-control-allow-methods"]
    if "access-control-request-private-network" in headers:
        assert answer.headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_health_check_without_a_host_is_answered(root: TestClient, path: str, version: str):
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": [], "query_string": b"",
        "http_version": version, "scheme": "http", "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2),
        "state": {"gateway": app_of(root).state.gateway},
    }  # fmt: skip
    assert root.portal is not None
    root.portal.call(root.app, scope, receive, send)

    assert sent[0]["status"] == 200


def test_other_paths_need_a_host(root: TestClient):
    answer = root.get("http://testserver/api/v1/videos", headers={"host": ""})

    assert answer.status_code == 400


def test_an_open_gateway_never_answers_to_a_vendors_name(open_gateway: Callable[..., TestClient]):
    client = open_gateway(allowed_hosts=("openrouter.ai", "gateway.lan"), public_url="https://fal.run")

    codes = [
        client.get("http://testserver/healthz", headers={"host": host}).status_code
        for host in ("openrouter.ai", "fal.run", "OPENROUTER.AI:443", "gateway.lan")
    ]

    assert codes == [421, 421, 421, 200]
