"""A job's progress over a websocket: a snapshot, then each change, until the job has ended or is deleted."""

import asyncio
import json
import time
from typing import Any

from fastapi import APIRouter, Request, Response, WebSocket
from starlette.websockets import WebSocketDisconnect

from framegate.api.context import ApiContext, base_url, context_of, key_in
from framegate.api.dialects.phaseo import errors
from framegate.api.dialects.phaseo.responses import show
from framegate.api.dialects.phaseo.routes import links_of
from framegate.domain import Job, Problem, Scope
from framegate.domain.errors import FramegateError, InvalidRequest, NotFound

INTERVAL_MS = (1000, 2500, 10_000)  # least, usual, most
NO = frozenset({"0", "false", "no", "off"})
ORDERLY, GOING_AWAY, TOO_MUCH = 1000, 1001, 1008
MESSAGES_AT_ONCE_MAX, MESSAGES_PER_SECOND_MAX = 20, 2

router = APIRouter()


class UpgradeRequired(FramegateError):
    """This address speaks websocket. Ask for the job itself to see it once."""

    code = "websocket_upgrade_required"
    status = 426


@router.get("/async/{kind}/{video_id}/ws", include_in_schema=False)
async def not_upgraded(_: Request, kind: str, video_id: str) -> Response:  # noqa: ARG001 - any job is told the same
    """What a plain request is told."""
    return errors.show(UpgradeRequired(), {"Upgrade": "websocket"})


@router.websocket("/async/{kind}/{video_id}/ws")
async def follow(socket: WebSocket, kind: str, video_id: str) -> None:
    """Report a job's progress. Takes `ping` and `refresh`; `interval_ms` is how often the job is looked at."""
    gate = context_of(socket)
    try:
        seconds, close_at_end = _wishes(socket, kind)
        owner = (await gate.keys.authenticate(key_in(socket), Scope.READ)).owner
        await gate.jobs.get(video_id, owner=owner)
    except FramegateError as error:
        await socket.send_denial_response(errors.show(error, {}))
        return
    await socket.accept()
    follower = _Follower(socket, gate, video_id, owner, close_at_end=close_at_end)
    try:
        await follower.run(seconds)
    except WebSocketDisconnect:
        return


def _wishes(socket: WebSocket, kind: str) -> tuple[float, bool]:
    """Seconds between looks, and whether to close at the job's end.

    As Phaseo does, an interval below 1,000 or above 10,000 ms is taken for the nearest of the two.
    """
    if kind != "video":
        message = f"There are videos to follow here, no {kind[:64]!r}."
        raise InvalidRequest([Problem(code="invalid_async_job_path", pointer="", message=message)])
    said = socket.query_params.get("interval_ms", "").strip()
    if said and not (said.isascii() and said.isdecimal() and len(said) < 10):
        message = "`interval_ms` is a number of milliseconds, 1000 to 10000."
        raise InvalidRequest([Problem(code="invalid_parameter", pointer="/interval_ms", message=message)])
    least, usual, most = INTERVAL_MS
    interval = max(least, min(most, int(said))) if said else usual
    return interval / 1000, socket.query_params.get("close_on_terminal", "").strip().lower() not in NO


class _Follower:
    """One client that follows one job."""

    def __init__(self, socket: WebSocket, gate: ApiContext, video_id: str, owner: str, *, close_at_end: bool) -> None:
        self._socket = socket
        self._gate = gate
        self._id = video_id
        self._owner = owner
        self._close_at_end = close_at_end
        self._seen: int | None = None  # the job's version as last told
        self._since = time.monotonic()
        self._heard = 0  # messages of the client

    async def run(self, seconds: float) -> None:
        """Tell what there is to tell until there is no more."""
        heard: asyncio.Task[str] | None = None
        stop = asyncio.ensure_future(self._gate.closing.wait())
        going_on = await self._tell("job.snapshot", again=True)
        try:
            while going_on:
                heard = heard or asyncio.ensure_future(self._hear())
                done, _ = await asyncio.wait({heard, stop}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                if stop in done:
                    await self._socket.close(GOING_AWAY)
                    return
                said, heard = (heard.result(), None) if heard in done else ("", heard)
                if self._heard > MESSAGES_AT_ONCE_MAX + MESSAGES_PER_SECOND_MAX * (time.monotonic() - self._since):
                    await self._socket.close(TOO_MUCH, "Too many messages.")
                    return
                if said == "ping":
                    await self._send({"type": "pong"})
                elif said in ("", "refresh"):
                    going_on = await self._tell("job.updated", again=said == "refresh")
            await self._socket.close(ORDERLY)
        finally:
            mine: list[asyncio.Future[Any]] = [task for task in (heard, stop) if task is not None]
            for task in mine:
                task.cancel()
            await asyncio.gather(*mine, return_exceptions=True)

    async def _hear(self) -> str:
        """The next message; bytes say nothing that is known here."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", ORDERLY))
        self._heard += 1
        return message.get("text") or "bytes"

    async def _tell(self, kind: str, *, again: bool) -> bool:
        """Say how the job stands, if that is new or asked for; whether there will be more to say."""
        try:
            job = await self._gate.jobs.get(self._id, owner=self._owner)
        except NotFound:
            await self._send({"type": "job.deleted", "data": {"id": self._id, "kind": "video"}})
            return False
        if again or job.version != self._seen:
            self._seen = job.version
            await self._send({"type": kind, "data": {"kind": "video"} | self._shown(job)})
        return not (job.state.is_final and self._close_at_end)

    def _shown(self, job: Job) -> dict[str, Any]:
        return show(job, base=base_url(self._socket), links=links_of(self._gate))

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send_text(json.dumps(message, ensure_ascii=False, separators=(",", ":")))
