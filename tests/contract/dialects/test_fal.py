"""Whole requests and whole responses of the fal-compatible API, one file per case."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.dialect_golden import cases, played
from support.fal_client import upload


@pytest.fixture
def gateway(sandbox: TestClient) -> Iterator[TestClient]:
    """The sandbox at the base URL of the API."""
    origin = sandbox.base_url
    sandbox.base_url = f"{origin}/fal"
    yield sandbox
    sandbox.base_url = origin


@pytest.mark.parametrize("path", cases("fal"), ids=lambda path: path.stem)
def test_fal_case(path: Path, gateway: TestClient, photos: tuple[Path, ...]):
    case = json.loads(path.read_text(encoding="utf-8"))
    responses = played(gateway, case, {"photo": upload(gateway, photos[0])})

    assert responses == [step.get("expect") for step in case["steps"]]


def test_there_are_fal_cases():
    assert len(cases("fal")) >= 10
