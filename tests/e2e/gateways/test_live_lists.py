"""A gateway takes the limits of what it orders from the list that the service itself serves."""

import json
import time
from pathlib import Path

import httpx2
import pytest

from support.served_gateway import served_here

SECONDS_MAX = 30


def test_the_list_of_another_gateway_is_read_at_the_start_and_kept(tmp_path: Path):
    with served_here(tmp_path / "theirs", key="sk-theirs", sandbox=True) as theirs:
        account = {"provider": "openrouter", "api_key": "sk-theirs", "base_url": f"{theirs.url}/api/v1"}
        with served_here(tmp_path / "ours", key="sk-ours", accounts=[account]) as ours:
            kept = tmp_path / "ours" / "catalogue" / "openrouter-default.json"
            end = time.monotonic() + SECONDS_MAX
            while not kept.exists() and time.monotonic() < end:
                time.sleep(0.05)
            told = json.loads(kept.read_text("utf-8"))
            assert told["url"] == f"{theirs.url}/api/v1/videos/models"
            assert "google/veo-3.1" in [row["id"] for row in told["data"]]
            asked = {"model": "openai/sora-2", "prompt": "a cat"}
            headers = {"authorization": "Bearer sk-ours"}
            answer = httpx2.post(f"{ours.url}/api/v1/videos", json=asked, headers=headers)
            assert answer.status_code == 400
            assert "google/veo-3.1" in answer.text


def test_a_sandbox_reads_no_list(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    account = {"provider": "openrouter", "api_key": "sk-theirs", "base_url": "http://127.0.0.1:9/api/v1"}
    with served_here(tmp_path / "ours", key="sk-ours", accounts=[account], sandbox=True) as gateway:
        assert httpx2.get(f"{gateway.url}/healthz").status_code == 200
    assert "Model list" not in caplog.text
