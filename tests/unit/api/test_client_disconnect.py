"""A client counts as gone only if it closed its connection before its response began."""

import asyncio
from typing import Any

import pytest

from framegate.api.middleware.client_disconnect import ClientDisconnect, HttpRequestContext
from support.virtual_machine import VirtualMachine

pytestmark = pytest.mark.anyio
SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": []}
BODY = {"type": "http.request", "body": b"{}", "more_body": False}


@pytest.fixture
def anyio_backend(machine: VirtualMachine):
    return "asyncio", {"loop_factory": machine.new_event_loop}


class Connection:
    """A client's connection as ASGI servers show it: a complete response looks like a disconnect."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self._messages = [BODY]

    async def receive(self) -> Any:
        if self._messages:
            return self._messages.pop()
        await self.over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            self.over.set()


@pytest.mark.parametrize("turns", range(6))
async def test_a_look_during_the_response_does_not_take_it_for_a_disconnect(turns: int):
    connection, contexts, acknowledged = Connection(), list[HttpRequestContext](), list[str]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        context = next(value for value in scope.values() if isinstance(value, HttpRequestContext))
        await receive()
        context.created.append("job")
        contexts.append(context)
        for _ in range(3):
            await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        await asyncio.sleep(1)

    async def acknowledge(jobs: Any) -> None:
        await asyncio.sleep(1)
        acknowledged.extend(jobs)

    request = asyncio.create_task(ClientDisconnect(app, acknowledge)(dict(SCOPE), connection.receive, connection.send))
    while not contexts:
        await asyncio.sleep(0)
    for _ in range(turns):
        await asyncio.sleep(0)

    assert not await contexts[0].is_disconnected()
    await request
    assert acknowledged == ["job"]


async def test_a_client_that_left_before_its_response_is_gone_and_its_job_is_not_acknowledged():
    connection, acknowledged = Connection(), list[str]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        context = next(value for value in scope.values() if isinstance(value, HttpRequestContext))
        await receive()
        context.created.append("job")
        connection.over.set()
        assert await context.is_disconnected()
        await send({"type": "http.response.start", "status": 202, "headers": []})

    async def acknowledge(jobs: Any) -> None:
        acknowledged.extend(jobs)

    await ClientDisconnect(app, acknowledge)(dict(SCOPE), connection.receive, connection.send)

    assert acknowledged == []
