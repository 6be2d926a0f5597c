"""Whole requests and whole responses of the Pictory-compatible API, one file per case."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.dialect_golden import cases, played


@pytest.mark.parametrize("path", cases("pictory"), ids=lambda path: path.stem)
def test_pictory_case(path: Path, sandbox: TestClient, sandbox_photo: str, web_page: str):
    case = json.loads(path.read_text(encoding="utf-8"))
    responses = played(sandbox, case, {"photo": sandbox_photo, "page": web_page})

    assert responses == [step.get("expect") for step in case["steps"]]


def test_there_are_pictory_cases():
    assert len(cases("pictory")) >= 8
