"""Progress of a job over a websocket: a snapshot, then each change until the job has ended or is deleted."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request, Response, WebSocket
from starlette.websockets import WebSocketDisconnect

from framegate.api.context import ApiContext, authenticate, base_url, context_of, ended_access, key_in, url_signer_of
from framegate.api.dialects.phaseo import errors
from framegate.api.dialects.phaseo.responses import show
from framegate.domain import Job, Problem, Scope
from framegate.domain.errors import FramegateError, InvalidRequest, NotFound
from framegate.jobs.service import JobWatch

INTERVAL_MS_MIN, INTERVAL_MS, INTERVAL_MS_MAX = 1000, 2500, 10_000
INTERVAL_CHARS_MAX = 9
NO = frozenset({"0", "false", "no", "off"})
NORMAL_CLOSURE, GOING_AWAY, POLICY_VIOLATION = 1000, 1001, 1008
UNAUTHORIZED = 4401  # as 401: the key was revoked or has expired
REASON_CHARS_MAX = 100
CHECK_SECONDS = 5.0  # between two checks of the key while nothing changes
MESSAGES_BURST_MAX, MESSAGES_PER_SECOND_MAX = 20, 2

router = APIRouter()


class UpgradeRequired(FramegateError):
    """This path requires a websocket. To see the job once, get the job itself."""

    code = "websocket_upgrade_required"
    status = 426


@router.get("/async/{kind}/{video_id}/ws", include_in_schema=False)
async def reject_plain_request(_: Request, kind: str, video_id: str) -> Response:  # noqa: ARG001 - the same for every job
    """Return 426 for a request without a websocket upgrade."""
    return errors.show(UpgradeRequired(), {"Upgrade": "websocket"})


@router.websocket("/async/{kind}/{video_id}/ws")
async def follow(socket: WebSocket, kind: str, video_id: str) -> None:
    """Follow a job. Accepts the messages `ping` and `refresh`; `interval_ms` is the poll interval."""
    context = context_of(socket)
    try:
        seconds, close_at_end = _parameters(socket, kind)
        owner = (await authenticate(socket, key_in(socket), Scope.READ)).owner
        await context.jobs.get(video_id, owner=owner)
    except FramegateError as error:
        await socket.send_denial_response(errors.show(error, {}))
        return
    await socket.accept()
    with suppress(WebSocketDisconnect), context.jobs.watch(video_id) as watch:
        await _Follower(socket, context, video_id, owner, watch=watch, close_at_end=close_at_end).run(seconds)


def _parameters(socket: WebSocket, kind: str) -> tuple[float, bool]:
    """Return the poll interval in seconds, and whether to close when the job has ended.

    As at Phaseo, an interval outside 1,000 to 10,000 ms is replaced by the closest limit.
    """
    if kind != "video":
        message = f"Only jobs of the kind `video` can be followed, not {kind[:64]!r}."
        raise InvalidRequest([Problem(code="invalid_async_job_path", pointer="", message=message)])
    text = socket.query_params.get("interval_ms", "").strip()
    if text and not (text.isascii() and text.isdecimal() and len(text) <= INTERVAL_CHARS_MAX):
        message = f"`interval_ms` must be a number of milliseconds, {INTERVAL_MS_MIN} to {INTERVAL_MS_MAX}."
        raise InvalidRequest([Problem(code="invalid_parameter", pointer="/interval_ms", message=message)])
    interval_ms = max(INTERVAL_MS_MIN, min(INTERVAL_MS_MAX, int(text))) if text else INTERVAL_MS
    return interval_ms / 1000, socket.query_params.get("close_on_terminal", "").strip().lower() not in NO


class _Follower:
    """One client that follows one job."""

    def __init__(
        self,
        socket: WebSocket,
        context: ApiContext,
        video_id: str,
        owner: str,
        *,
        watch: JobWatch,
        close_at_end: bool,
    ) -> None:
        self._socket = socket
        self._context = context
        self._id = video_id
        self._owner = owner
        self._watch = watch
        self._close_at_end = close_at_end
        self._version: int | None = None  # of the job as it was last sent
        self._started_at = context.machine.monotonic()
        self._messages = 0  # received from the client

    async def run(self, seconds: float) -> None:
        """Send the job and its changes until it has ended, it is deleted, or the gateway stops."""
        receiving: asyncio.Task[str] | None = None
        changed = asyncio.ensure_future(self._watch.change())
        stop = asyncio.ensure_future(self._context.closing.wait())
        is_open, reported_at = await self._report("job.snapshot", force=True), self._now()
        try:
            while is_open:
                receiving = receiving or asyncio.ensure_future(self._receive())
                pause = max(0.0, reported_at + seconds - self._now()) if changed.done() else CHECK_SECONDS
                waiting = {receiving, stop} if changed.done() else {receiving, stop, changed}
                done, _ = await asyncio.wait(waiting, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                if stop in done:
                    await self._socket.close(GOING_AWAY)
                    return
                message, receiving = (receiving.result(), None) if receiving in done else ("", receiving)
                if self._is_flooding():
                    await self._socket.close(POLICY_VIOLATION, "Too many messages.")
                    return
                if error := await ended_access(self._socket):
                    await self._socket.close(UNAUTHORIZED, error.message[:REASON_CHARS_MAX])
                    return
                if message == "ping":
                    await self._send({"type": "pong"})
                elif message == "refresh" or (changed.done() and self._now() >= reported_at + seconds):
                    if changed.done():
                        changed = asyncio.ensure_future(self._watch.change())
                    is_open, reported_at = await self._report("job.updated", force=message == "refresh"), self._now()
            await self._socket.close(NORMAL_CLOSURE)
        finally:
            pending: list[asyncio.Future[Any]] = [task for task in (receiving, stop, changed) if task is not None]
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    def _now(self) -> float:
        return self._context.machine.monotonic()

    def _is_flooding(self) -> bool:
        seconds = self._context.machine.monotonic() - self._started_at
        return self._messages > MESSAGES_BURST_MAX + MESSAGES_PER_SECOND_MAX * seconds

    async def _receive(self) -> str:
        """Return the text of the next message; "bytes" for a binary message, which has no meaning."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", NORMAL_CLOSURE))
        self._messages += 1
        return message.get("text") or "bytes"

    async def _report(self, kind: str, *, force: bool) -> bool:
        """Send the job if it has changed or if `force` is set; return whether more may follow."""
        try:
            job = await self._context.jobs.get(self._id, owner=self._owner)
        except NotFound:
            await self._send({"type": "job.deleted", "data": {"id": self._id, "kind": "video"}})
            return False
        self._watch.version = job.version
        if force or job.version != self._version:
            self._version = job.version
            await self._send({"type": kind, "data": {"kind": "video"} | self._job_body(job)})
        return not (job.state.is_final and self._close_at_end)

    def _job_body(self, job: Job) -> dict[str, Any]:
        return show(job, base=base_url(self._socket), signer=url_signer_of(self._socket))

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send_text(json.dumps(message, ensure_ascii=False, separators=(",", ":")))
