"""A warm worker: renders one job after another, told and answering in JSON lines.

In:  {"id": ..., "spec": {...}}
Out: {"id": null, "event": "ready"} once; then for each job, under its own id, "progress" with `progress` and
`stage`, and at last "done" with `rendered`, or "error" with `code` and `message`.
It goes when its standard input closes, and on Linux when its parent dies, in the middle of a render too.
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

from framegate.animatic.errors import Abandoned, AnimaticError, BadSpec
from framegate.animatic.renderer import render
from framegate.animatic.spec import Spec

PROGRESS_INTERVAL_SECONDS = 0.1
LINE_CHARS_MAX = 1_000_000
QUEUED_LINES_MAX = 64
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Worker:
    def __init__(self, requests: TextIO, responses: TextIO) -> None:
        self._requests = requests
        self._responses = responses
        self._lines: queue.Queue[str | None] = queue.Queue(QUEUED_LINES_MAX)
        self._closed = threading.Event()

    def run(self) -> None:
        threading.Thread(target=self._read_lines, name="animatic-input", daemon=True).start()
        self._send(None, "ready")
        while (line := self._lines.get()) is not None and not self._closed.is_set():
            self._handle(line)

    def _read_lines(self) -> None:
        """Take in jobs, and notice while one is being rendered that nobody wants it any more."""
        while line := self._requests.readline(LINE_CHARS_MAX):
            self._lines.put(line)
        self._closed.set()
        self._lines.put(None)

    def _handle(self, line: str) -> None:
        job: object = None
        try:
            message = _parse_request(line)
            job = message.get("id")
            rendered = render(Spec.from_dict(message.get("spec")), _ProgressReporter(self, job))
        except Abandoned:
            return
        except AnimaticError as error:
            self._send(job, "error", code=error.code, message=str(error))
        except Exception as error:  # noqa: BLE001  # the top: one bad job must not take the warm process down
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
    """Passes progress on, at most ten times a second; the end is told by "done"."""

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
        raise BadSpec("the job is not one line of JSON") from error
    if not isinstance(message, dict):
        raise BadSpec("the job must be an object with id and spec")
    return cast("dict[str, Any]", message)


def _die_with_parent() -> None:
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the signal was set
        os._exit(1)


def main() -> None:
    _die_with_parent()
    # Nothing but the protocol goes to standard output, whatever a library prints.
    responses = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        Worker(sys.stdin, responses).run()
    except BrokenPipeError:  # the parent has died, and nobody listens
        os._exit(1)


if __name__ == "__main__":
    main()
