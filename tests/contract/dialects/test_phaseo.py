"""Phaseo's whole requests and whole answers, one file per case."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.dialect_golden import cases, played


@pytest.mark.parametrize("case", cases("phaseo"), ids=lambda path: path.stem)
def test_phaseo_case(case: Path, sandbox: TestClient, sandbox_photo: str, web_page: str):
    wanted = json.loads(case.read_text(encoding="utf-8"))
    seen = played(sandbox, wanted, {"photo": sandbox_photo, "page": web_page})

    assert seen == [step.get("expect") for step in wanted["steps"]]


def test_there_are_phaseo_cases():
    assert len(cases("phaseo")) >= 12
