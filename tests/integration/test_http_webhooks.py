"""Webhooks by http are refused in every API with the setting that allows them, and accepted with it."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from framegate.api.http.callbacks import callback_problem
from framegate.app.asgi import build_app
from framegate.config.settings import Settings

URL = "http://receiver.example/hook"
PROMPT = "a slow push in on a street"
CREATES = {
    "/api/v1/videos": {"model": "framegate/animatic", "prompt": PROMPT, "callback_url": URL},
    "/phaseo/v1/videos": {"model": "framegate/animatic", "prompt": PROMPT, "webhook": {"url": URL}},
    "/pictory/v1/aistudio/videos": {"model": "framegate/animatic", "prompt": PROMPT, "webhook": URL},
    f"/fal/queue/framegate/animatic?fal_webhook={URL}": {"prompt": PROMPT},
}


@pytest.mark.parametrize("path", CREATES)
def test_the_refusal_of_an_http_webhook_names_the_setting_that_allows_it(sandbox: TestClient, path: str):
    refused = sandbox.post(path, json=CREATES[path])

    assert refused.status_code in (400, 422)
    assert "`allow_http_webhooks`" in refused.text


def test_an_http_webhook_is_accepted_with_the_setting(tmp_path: Path):
    settings = Settings(data_dir=tmp_path, render_workers=1, sandbox=True, allow_http_webhooks=True)
    with TestClient(build_app(settings), base_url="http://127.0.0.1:8787") as client:
        for path, body in CREATES.items():
            assert client.post(path, json=body).is_success, path


@pytest.mark.parametrize("url", ["ftp://receiver.example/x", "http://", "receiver.example", "http:///x"])
def test_the_setting_allows_nothing_but_http(url: str):
    assert callback_problem(url, Settings(allow_http_webhooks=True), field="webhook") is not None
