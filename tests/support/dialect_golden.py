"""Plays golden cases against the real application: whole requests in order, whole answers back.

What differs from run to run is replaced by a word in angle brackets: ids, times, hashes, signatures, byte counts. A
step's `racy` names fields that are left out: they depend on how far the job has come by then, or on the catalogue. A
step `{"wait": true}` waits for the job's end.
"""

import json
import re
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from support.paths import DIALECT_GOLDEN

ROOT = DIALECT_GOLDEN
JOBS = "http://127.0.0.1:8787/api/v1/videos"  # whatever the base URL of the dialect
NUMBERS = {"bytes": "<bytes>", "file_size": "<bytes>", "inference_time": "<seconds>"}
PATTERNS = (
    (re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])"), "<job>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"\b(expires(?:_at)?)=\d+"), r"\1=<time>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<secret>"),
    (re.compile(r"\bfgt\.[\w-]+\.<hash>"), "<token>"),
    (re.compile(r"download_token=[\w-]+"), "download_token=<token>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)?"), "<time>"),
    (re.compile(r"http://127\.0\.0\.1:(?!8787\b)\d+"), "<elsewhere>"),
    (re.compile(r"job is (pending|in_progress)"), "job is <unfinished>"),
)


def cases(dialect: str) -> list[Path]:
    """The files of a dialect."""
    return sorted((ROOT / dialect).glob("*.json"))


def settled(value: Any, key: str = "") -> Any:
    """The value with all that differs from run to run replaced."""
    if isinstance(value, dict):
        return {name: settled(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [settled(item) for item in value]
    if isinstance(value, str):
        for pattern, word in PATTERNS:
            value = pattern.sub(word, value)
        return value
    if key.endswith("_at") and isinstance(value, int):
        return "<time>"
    return value if value is None else NUMBERS.get(key, value)


def played(gateway: TestClient, case: dict[str, Any], words: dict[str, str]) -> list[dict[str, Any] | None]:
    """What each step of a case brought back; None for a wait. `words` are put in for {{word}}."""
    words = dict(words)
    return [_step(gateway, step, words) for step in case["steps"]]


def _step(gateway: TestClient, step: dict[str, Any], words: dict[str, str]) -> dict[str, Any] | None:
    if step.get("wait"):
        gateway.get(f"{JOBS}/{words['job']}", params={"wait": 60}).raise_for_status()
        return None
    send = json.loads(_filled(json.dumps(step["send"]), words))
    answer = gateway.request(
        send["method"],
        send["path"],
        headers=send.get("headers"),
        json=send.get("json"),
        content=send["text"].encode() if "text" in send else None,
    )
    seen: dict[str, Any] = {"status": answer.status_code}
    for name in send.get("show", []):
        seen.setdefault("headers", {})[name] = settled(answer.headers.get(name))
    if answer.headers.get("content-type") == "application/json":
        body = answer.json()
        words.update(_job_in(body))
        seen["json"] = settled(_without(body, send.get("racy", [])))
    return seen


def _job_in(body: Any) -> dict[str, str]:
    data = body.get("data") if isinstance(body, dict) else None
    made = body.get("id", body.get("request_id")) if isinstance(body, dict) else None
    made = made or (data.get("jobId") if isinstance(data, dict) else None)
    return {"job": made} if made else {}


def _filled(text: str, words: dict[str, str]) -> str:
    for word, meaning in words.items():
        text = text.replace("{{" + word + "}}", meaning)
    return text


def _without(body: Any, racy: list[str]) -> Any:
    return {key: value for key, value in body.items() if key not in racy} if isinstance(body, dict) else body
