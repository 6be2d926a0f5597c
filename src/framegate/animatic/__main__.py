"""Render worker process: renders one job after another, with requests and responses as JSON lines.

In:  {"id": ..., "spec": {...}}
Out: {"id": null, "event": "ready"} once; then for each job, with the job's id, "progress" events with `progress` and
`stage`, and finally "done" with `rendered`, or "error" with `code` and `message`.
The process exits when its standard input closes and, on Linux, when its parent dies, even during a render.
"""

import ctypes
import json
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import asdict
from typing import Any, TextIO, cast

from framegate import animatic
from framegate.animatic.errors import Abandoned, AnimaticError, BadSpec
from framegate.animatic.spec import Spec

PROGRESS_INTERVAL_SECONDS = 0.1
LINE_CHARS_MAX = 1_000_000
QUEUED_LINES_MAX = 64
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Worker:
    """JSON lines server: a thread reads the requests, `run` handles them in order."""

    def __init__(self, requests: TextIO, responses: TextIO) -> None:
        self._requests = requests
        self._responses = responses
        self._lines: queue.Queue[str | None] = queue.Queue(QUEUED_LINES_MAX)
        self._closed = threading.Event()
        self._is_ready = False

    def run(self) -> None:
        threading.Thread(target=self._read_lines, name="animatic-input", daemon=True).start()
        _ = animatic.render  # the heavy imports; the parent may die during them
        self._is_ready = True
        self._send(None, "ready")
        while (line := self._lines.get()) is not None and not self._closed.is_set():
            self._handle(line)

    def _read_lines(self) -> None:
        """Queue the input lines; also runs during a render, to notice when the input closes."""
        while line := self._requests.readline(LINE_CHARS_MAX):
            self._lines.put(line)
        if not self._is_ready and self._lines.empty():
            os._exit(0)
        self._closed.set()
        self._lines.put(None)

    def _handle(self, line: str) -> None:
        job: object = None
        try:
            message = _parse_request(line)
            job = message.get("id")
            rendered = animatic.render(Spec.from_dict(message.get("spec")), _ProgressReporter(self, job))
        except Abandoned:
            return
        except AnimaticError as error:
            self._send(job, "error", code=error.code, message=str(error))
        except Exception as error:  # noqa: BLE001  # top level: one bad job must not stop the process
            self._send(job, "error", code="internal", message=f"{type(error).__name__}: {error}")
        else:
            self._send(job, "done", rendered=asdict(rendered))

    def _send(self, job: object, event: str, **values: object) -> None:
        self._responses.write(json.dumps({"id": job, "event": event, **values}) + "\n")
        self._responses.flush()

    def send_progress(self, job: object, share: float) -> None:
        self._send(job, "progress", progress=round(share, 4), stage="rendering")

    def raise_if_closed(self) -> None:
        if self._closed.is_set():
            raise Abandoned("standard input closed")


class _ProgressReporter:
    """Progress callback: sends at most ten progress events a second."""

    def __init__(self, worker: Worker, job: object) -> None:
        self._worker = worker
        self._job = job
        self._reported_at = 0.0

    def __call__(self, share: float) -> None:
        self._worker.raise_if_closed()
        now = time.monotonic()
        if now - self._reported_at >= PROGRESS_INTERVAL_SECONDS:
            self._reported_at = now
            self._worker.send_progress(self._job, share)


def _parse_request(line: str) -> dict[str, Any]:
    try:
        message: object = json.loads(line)
    except ValueError as error:
        raise BadSpec("invalid JSON: a job must be one line of JSON") from error
    if not isinstance(message, dict):
        raise BadSpec("a job must be a JSON object with id and spec")
    return cast("dict[str, Any]", message)


def _die_with_parent() -> None:
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before the signal was set
        os._exit(1)


def main() -> None:
    _die_with_parent()
    # Keep standard output for the protocol: what libraries print goes to standard error.
    responses = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        Worker(sys.stdin, responses).run()
    except BrokenPipeError:  # the parent has died
        os._exit(1)


if __name__ == "__main__":
    main()
