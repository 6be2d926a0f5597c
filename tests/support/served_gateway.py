"""Gateways in processes of their own, for tests whose subject is the process or the wire."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from support.paths import TESTS

START = """
import json, logging, socket, sys
from framegate.app.server import run
from framegate.config.settings import Settings
logging.basicConfig()
settings = Settings(**json.loads(sys.argv[1]))
listener = socket.create_server((settings.host, settings.port))
run(settings, listener, on_ready=lambda url: print(url, flush=True), log_level="warning")
"""
WITH_STUB_RENDERS = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from framegate.app import parts
from support.stub_renderer import StubExecutor
parts.LocalExecutor = lambda machine, render_workers: StubExecutor(machine)
"""
STOP_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedGate:
    """A gateway in a process of its own, on a free port of this machine."""

    url: str
    key: str
    data_dir: Path
    process: subprocess.Popen[str]

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
) -> Iterator[ServedGate]:
    """Serve a gateway; without `renders`, its renders are stubs. `prelude` is code that runs in it first."""
    code = prelude + ("" if renders else WITH_STUB_RENDERS) + START
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
        yield ServedGate(url=url, key=key, data_dir=data_dir, process=process)
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
