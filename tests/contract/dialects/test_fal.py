"""fal's whole requests and whole answers, one file per case."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.dialect_golden import cases, played


@pytest.mark.parametrize("case", cases("fal"), ids=lambda path: path.stem)
def test_fal_case(case: Path, gate: TestClient, picture: str):
    wanted = json.loads(case.read_text(encoding="utf-8"))
    seen = played(gate, wanted, {"photo": picture})

    assert seen == [step.get("expect") for step in wanted["steps"]]


def test_there_are_fal_cases():
    assert len(cases("fal")) >= 10
