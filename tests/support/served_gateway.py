"""Gateways in processes of their own, for tests whose subject is the process or the wire."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx2
import pytest
import uvicorn

from framegate.app.asgi import build_app
from framegate.app.server import Server
from framegate.config.settings import Settings
from framegate.domain.machine import REAL_MACHINE
from support.paths import TESTS
from support.stub_renderer import StubExecutor

START = """
import json, logging, socket, sys
from framegate.app.server import run
from framegate.config.settings import Settings
logging.basicConfig()
settings = Settings(**json.loads(sys.argv[1]))
listener = socket.create_server((settings.host, settings.port))
run(settings, listener, on_ready=lambda url: print(url, flush=True), log_level="warning")
"""
STUB_RENDERS = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from framegate.app import parts
from support.stub_renderer import StubExecutor
parts.LocalExecutor = lambda machine, **_: StubExecutor(machine)
"""
SHORT_RENDERS = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from framegate.app import parts
from support.stub_renderer import ShortRenderExecutor
parts.LocalExecutor = ShortRenderExecutor
"""
STOP_SECONDS = 20


def _no_process() -> "subprocess.Popen[str]":
    return cast("subprocess.Popen[str]", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedGateway:
    """A gateway on a free port of this machine; `process` is for those that have one of their own."""

    url: str
    key: str
    data_dir: Path
    process: subprocess.Popen[str] = field(default_factory=_no_process)

    @property
    def api(self) -> str:
        """The base URL for OpenRouter's clients."""
        return f"{self.url}/api/v1"

    def client(self) -> httpx2.Client:
        """A plain HTTP client with the key; its addresses are relative to `api`."""
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx2.Client(base_url=self.api, headers=headers, timeout=70, trust_env=False)


@contextmanager
def served(
    data_dir: Path, log: Path, *, key: str, renders: bool = True, prelude: str = "", **settings: object
) -> Iterator[ServedGateway]:
    """Serve a gateway; without `renders`, its renders are stubs. `prelude` is code that runs in it first."""
    code = prelude + ("" if renders else STUB_RENDERS) + START
    given = {"data_dir": str(data_dir), "port": 0, "api_key": key or None, "render_workers": 2, **settings}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEGATE_")}
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", code, json.dumps(given)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environ,
        )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        if not url:
            pytest.fail(f"the gateway did not start: {log.read_text()}")
        yield ServedGateway(url=url, key=key, data_dir=data_dir, process=process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail(f"the gateway did not stop within {STOP_SECONDS} s: {log.read_text()}")
        finally:
            process.stdout.close()
    assert "Exception in ASGI application" not in log.read_text(), log.read_text()


@contextmanager
def served_here(data_dir: Path, *, key: str, renders: bool = False, **settings: object) -> Iterator[ServedGateway]:
    """Serve a gateway over real HTTP in a thread of this process, which starts ten times as fast as a process."""
    given = {"data_dir": data_dir, "port": 0, "api_key": key or None, "render_workers": 2, **settings}
    executor = None if renders else StubExecutor(REAL_MACHINE)
    app = build_app(Settings.model_validate(given), REAL_MACHINE, executor=executor)
    listener = socket.create_server(("127.0.0.1", int(str(given["port"]))))
    config = uvicorn.Config(app, lifespan="on", ws="websockets-sansio", log_config=None, timeout_graceful_shutdown=5)
    ready = threading.Event()
    server = Server(config, app, lambda _: ready.set())
    failures: list[str] = []
    watcher = _Watcher(failures)
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(watcher)
    thread = threading.Thread(target=server.run, args=([listener],), name="served-gateway")
    thread.start()
    try:
        if not ready.wait(STOP_SECONDS):
            pytest.fail(f"the gateway did not start: {failures}")
        yield ServedGateway(url=f"http://127.0.0.1:{listener.getsockname()[1]}", key=key, data_dir=data_dir)
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)
        listener.close()
        logger.removeHandler(watcher)
    assert not thread.is_alive(), "the gateway did not stop"
    assert failures == []


class _Watcher(logging.Handler):
    def __init__(self, failures: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._failures = failures

    def emit(self, record: logging.LogRecord) -> None:
        self._failures.append(self.format(record))
