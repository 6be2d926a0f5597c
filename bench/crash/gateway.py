"""The gateway that is killed: a real server in a process of its own, over one data folder."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from framegate.config.accounts import KEY_VARIABLES

READY_SECONDS_MAX = 180.0  # on a machine that has other work besides
STOP_SECONDS_MAX = 20.0
ORPHAN_SECONDS_MAX = 5.0  # on a busy machine; an idle one needs a few milliseconds
LOOK_SECONDS = 0.02
TOKEN = "FRAMEGATE_CRASH_RUN"  # children inherit it: a render process is found by it, whoever its parent is by then


@dataclass(slots=True)
class Gateway:
    """One data folder and the server that now runs on it, if one does."""

    folder: Path
    workers: int = 2
    flags: tuple[str, ...] = ("--sandbox",)
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    url: str = ""
    up: asyncio.Event = field(default_factory=asyncio.Event)
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    _process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What every server said on its standard error."""
        return self.folder / "server.log"

    @property
    def alive(self) -> bool:
        """Whether a server of this folder runs."""
        return self._process is not None and self._process.poll() is None

    def tracebacks(self) -> list[str]:
        """What the log tells of faults of the gateway's own, in its servers and in their render processes."""
        said = self.log.read_text(encoding="utf-8", errors="replace")
        return [_fault(part) for part in said.split("Traceback (most recent call last):\n")[1:]]

    def spawn(self) -> None:
        """Start a server; it is not ready yet."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEGATE_")}
        for name in KEY_VARIABLES.values():  # nothing is ever ordered with a key of whoever runs this
            environ.pop(name, None)
        environ |= {"FRAMEGATE_RENDER_WORKERS": str(self.workers), TOKEN: self.token, **self.environ}
        command = [sys.executable, "-m", "framegate", "serve", "--port", "0", "--data", str(self.data), *self.flags]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environ, cwd=self.folder
            )

    async def ready(self) -> None:
        """Return once the server takes requests. Raises `RuntimeError` if it does not come up."""
        assert self._process is not None
        until = time.monotonic() + READY_SECONDS_MAX
        while True:
            owner = _json(self.data / "lock")
            if owner.get("pid") == self._process.pid and owner.get("url"):
                self.url = str(owner["url"])
                self.up.set()
                return
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"The server did not come up:\n{self.log.read_text()[-4000:]}")
            await asyncio.sleep(LOOK_SECONDS)

    def kill(self) -> None:
        """SIGKILL, wherever the server stands."""
        assert self._process is not None
        self.up.clear()
        self._process.kill()
        self._process.wait()

    async def orphans(self) -> int:
        """How many render processes outlive the dead server by more than `ORPHAN_SECONDS_MAX`."""
        until = time.monotonic() + ORPHAN_SECONDS_MAX
        while pids := self.renderers():
            if time.monotonic() > until:
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                return len(pids)
            await asyncio.sleep(LOOK_SECONDS)
        return 0

    async def stop(self) -> None:
        """Stop the server as an operator does. Raises `RuntimeError` if it does not end cleanly."""
        assert self._process is not None
        self.up.clear()
        self._process.send_signal(signal.SIGTERM)
        try:
            status = await asyncio.to_thread(self._process.wait, STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise RuntimeError(f"The server did not stop within {STOP_SECONDS_MAX:g} s.") from error
        if status not in (0, -signal.SIGTERM):
            raise RuntimeError(f"The server stopped with status {status}:\n{self.log.read_text()[-4000:]}")

    def renderers(self) -> list[int]:
        """Every living render process that a server of this run has started."""
        mark = f"{TOKEN}={self.token}".encode()
        found: list[int] = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdecimal():
                continue
            try:
                command, environ = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
            except OSError:  # it has ended, or is another user's
                continue
            if b"framegate.animatic" in command and mark in environ.split(b"\0"):
                found.append(int(folder.name))
        return found


def _fault(said: str) -> str:
    """One traceback, up to the line that names the error."""
    lines = said.splitlines()
    end = next((at for at, line in enumerate(lines) if not line.startswith(" ")), len(lines))
    return "\n".join(lines[: end + 1])


def _json(path: Path) -> dict[str, object]:
    try:
        read: object = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}  # pyright: ignore[reportUnknownVariableType] - JSON
