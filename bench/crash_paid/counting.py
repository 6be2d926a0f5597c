"""The service in its own process, as the one who counts sees it."""

import asyncio
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from bench.crash_paid.upstream import KEY

ROOT = Path(__file__).parents[2]
STOP_SECONDS_MAX = 10.0


@dataclass(slots=True)
class Counting:
    """A service that was started for one run."""

    url: str
    foreign: str
    _process: subprocess.Popen[bytes]
    _http: httpx2.AsyncClient = field(default_factory=lambda: httpx2.AsyncClient(timeout=None, trust_env=False))

    @property
    def environ(self) -> dict[str, str]:
        """What makes a gateway order there."""
        return {
            "OPENROUTER_API_KEY": KEY,
            "FRAMEGATE_OPENROUTER_BASE_URL": f"{self.url}/api/v1",
            "FRAMEGATE_ALLOW_PRIVATE_ADDRESSES": "1",  # the foreign origin, too, is on this machine
        }

    async def next(self, kind: str, *, seconds_max: float) -> None:
        """Return when that next happens: `ordered`, `answered`, `looked`, `fetched`; or when it has not for so long."""
        with suppress(httpx2.TimeoutException):
            await self._http.get(f"{self.url}/control/next/{kind}", timeout=seconds_max)

    async def heal(self) -> None:
        """From now on looks and downloads go well, so that all may end soon."""
        await self._http.get(f"{self.url}/control/heal")

    async def book(self) -> dict[str, Any]:
        """All that came."""
        return (await self._http.get(f"{self.url}/control/book")).json()

    async def stop(self) -> None:
        """End its process."""
        await self._http.aclose()
        assert self._process.stdin
        self._process.stdin.close()
        try:
            await asyncio.to_thread(self._process.wait, STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def counting(seed: int) -> Counting:
    """Start a service."""
    command = [sys.executable, "-m", "bench.crash_paid.upstream", "--seed", str(seed)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout
    said = json.loads(process.stdout.readline())
    return Counting(said["url"], said["foreign"], process)
