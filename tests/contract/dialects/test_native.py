"""The native API's whole requests and whole answers, one file per case."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.dialect_golden import cases, played


@pytest.mark.parametrize("case", cases("native"), ids=lambda path: path.stem)
def test_native_case(case: Path, gateway: TestClient, photo: str):
    wanted = json.loads(case.read_text(encoding="utf-8"))
    seen = played(gateway, wanted, {"photo": photo})

    assert seen == [step.get("expect") for step in wanted["steps"]]


def test_there_are_native_cases():
    assert len(cases("native")) >= 10
