"""A gateway in this process, behind the test client that opened it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from starlette.applications import Starlette
from starlette.testclient import TestClient

from framegate.app.parts import Parts

T = TypeVar("T")


def app_of(client: TestClient) -> Starlette:
    """The application of a test client."""
    return cast("Starlette", client.app)


def parts_of(client: TestClient) -> Parts:
    """The parts of the gateway."""
    return app_of(client).state.parts


def call(client: TestClient, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """Call a coroutine function on the event loop of the gateway; return its result."""
    assert client.portal is not None
    return client.portal.call(function, *arguments)
