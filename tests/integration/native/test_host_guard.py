"""A web page from elsewhere cannot use the gateway."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from framegate.api.middleware.host_guard import HostGuard
from framegate.config.settings import Settings


def status(settings: Settings, host: str, origin: str | None = None, *, scheme: str = "http") -> int:
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("in"), methods=["GET", "POST"])])
    headers = {"host": host} | ({"origin": origin} if origin is not None else {})
    with TestClient(HostGuard(app, settings), base_url=f"{scheme}://gate") as client:
        answer = client.post("/", headers=headers)
    if answer.status_code != 200:
        assert answer.json()["error"]["code"] == answer.status_code
    return answer.status_code


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8787", "127.0.0.1:8787", "[::1]:8787", "10.0.0.7", "LOCALHOST."]
)
def test_own_names_and_addresses_are_answered(host: str):
    assert status(Settings(), host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8787", "127.0.0.1.evil.example", "localhost.evil.example"]
)
def test_a_name_bound_to_this_address_is_not_answered(host: str):
    assert status(Settings(), host) == 421


@pytest.mark.parametrize("host", ["", "a b", "evil.example/x", "evil@localhost", "localhost:1:2", "[::1", "locälhost"])
def test_a_malformed_host_is_a_bad_request(host: str):
    assert status(Settings(), host.encode("utf-8")) == 400  # pyright: ignore[reportArgumentType] - as bytes on the wire


def test_names_that_the_operator_gives_are_answered():
    assert status(Settings(allowed_hosts=("gateway.lan",)), "gateway.lan:8787") == 200
    assert status(Settings(public_url="https://video.example/x"), "video.example") == 200
    assert status(Settings(host="box.lan"), "box.lan:8787") == 200


def test_a_gateway_with_a_key_is_called_by_any_name_unless_names_are_set():
    assert status(Settings(api_key="k"), "whatever.example") == 200
    assert status(Settings(api_key="k", allowed_hosts=("a.example",)), "whatever.example") == 421


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://localhost", "http://localhost:1", "https://localhost:8787", "file://"],
)
def test_a_page_of_another_origin_is_refused(origin: str):
    assert status(Settings(), "localhost:8787", origin) == 403
    assert status(Settings(api_key="k"), "localhost:8787", origin) == 403


def test_pages_of_the_gateway_itself_and_of_allowed_origins_may_call():
    assert status(Settings(), "localhost:8787", "http://localhost:8787") == 200
    assert status(Settings(), "localhost:8787", "https://localhost:8787", scheme="https") == 200
    assert status(Settings(allowed_origins=("https://app.example",)), "localhost", "https://app.example") == 200
    assert status(Settings(public_url="https://video.example/base"), "localhost", "https://video.example") == 200
