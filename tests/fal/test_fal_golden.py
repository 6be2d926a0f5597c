"""Whole requests and whole answers, one file per case, played in order against the real application.

What differs from run to run is replaced by a word in angle brackets. A step's `racy` names the fields that depend on
how far the request has come by then; one that says `follow` waits for its end first.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from asking import streamed
from starlette.testclient import TestClient

GOLDEN = Path(__file__).parents[1] / "golden" / "dialects" / "fal"
PATTERNS = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<request>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<secret>"),
    (re.compile(r"\bfgt\.[\w-]+\.<hash>"), "<token>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(\+00:00)?"), "<time>"),
)
NUMBERS = {"file_size": "<bytes>", "inference_time": "<seconds>"}


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
    return NUMBERS.get(key, value)


def filled(value: Any, words: dict[str, str]) -> Any:
    """The value with {{request}} and {{picture}} put in."""
    text = json.dumps(value)
    for word, meaning in words.items():
        text = text.replace("{{" + word + "}}", meaning)
    return json.loads(text)


def played(gate: TestClient, send: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    """What came back: status, the headers that the case names, and the body but for fields that depend on timing."""
    send = filled(send, words)
    if send.get("follow"):
        streamed(gate, words["request"])
    answer = gate.request(send["method"], send["path"], headers=send.get("headers"), json=send.get("json"))
    seen: dict[str, Any] = {"status": answer.status_code}
    for name in send.get("show", []):
        seen.setdefault("headers", {})[name] = settled(answer.headers.get(name))
    body = answer.json()
    if isinstance(body, dict):
        words.update({"request": body["request_id"]} if "status_url" in body else {})
        body = {key: body[key] for key in body if key not in send.get("racy", [])}
    return {**seen, "json": settled(body)}


@pytest.mark.parametrize("case", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_case(case: Path, gate: TestClient, picture: str):
    words = {"picture": picture}
    for step in json.loads(case.read_text(encoding="utf-8"))["steps"]:
        assert played(gate, step["send"], words) == step["expect"]


def test_there_are_cases():
    assert len(list(GOLDEN.glob("*.json"))) >= 10
