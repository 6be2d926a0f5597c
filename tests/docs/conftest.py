"""A stand-in for a gateway, for the examples of the SDK."""

from collections.abc import Iterator

import pytest

from support.fake_gateway import Plan, serve_plan


@pytest.fixture
def address() -> Iterator[str]:
    """Base URL of the stand-in."""
    with serve_plan(Plan()) as url:
        yield url
