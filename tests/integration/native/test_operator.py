"""Facts about the gateway, over the API."""

from collections.abc import Callable

from starlette.testclient import TestClient


def test_a_gateway_says_whether_it_is_a_sandbox(open_gateway: Callable[..., TestClient]):
    assert open_gateway().get("/gateway").json()["sandbox"] is False


def test_a_sandbox_says_so(open_gateway: Callable[..., TestClient]):
    assert open_gateway(sandbox=True).get("/gateway").json()["sandbox"] is True
