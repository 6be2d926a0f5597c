"""The gateways that are held beside one another: each a real server in a process of its own, with two accounts."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2

from bench.crash.gateway import Gateway as FramegateProcess
from bench.side_by_side.service import KEYS

READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 20.0
LOOK_SECONDS = 0.1
SAMPLE_SECONDS = 0.02
TIMEOUT_SECONDS = 4  # LiteLLM's, for an upstream that does not answer; Framegate's cannot be set and is two minutes
KEY = "sk-proxy"


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway as a client sees it, and its process."""

    name: str
    http: httpx2.AsyncClient
    pid: int

    @property
    def ours(self) -> bool:
        """Whether it is Framegate."""
        return self.name == "Framegate"

    def body(self, case: str, **more: Any) -> dict[str, Any]:
        """What a client sends for a case, in the words of this gateway's API."""
        prompt = f"a slow push-in, case {case}"
        if self.ours:
            asked = {"model": "google/veo-3.1", "duration": 4, "resolution": "720p", "aspect_ratio": "16:9"}
        else:
            model = "pair" if case.endswith("-account") else "single"
            asked = {"model": model, "seconds": "4", "size": "1280x720"}
        return {"prompt": prompt, **asked, **more}

    async def create(self, body: dict[str, Any], **headers: str) -> httpx2.Response:
        """Place an order, as a client that tries nothing twice."""
        return await self.http.post("/videos", json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    async def ended(self, job_id: str, seconds_max: float) -> dict[str, Any]:
        """The job at its end, or as it stands when the time is up."""
        until = time.monotonic() + seconds_max
        while True:
            job = (await self.http.get(f"/videos/{job_id}", params={"wait": 20} if self.ours else None)).json()
            if job.get("status") in ("completed", "failed", "cancelled", "expired") or time.monotonic() > until:
                return job
            await asyncio.sleep(LOOK_SECONDS)

    def rss_bytes(self) -> int:
        """Memory of its processes together."""
        return sum(_rss(pid) for pid in _tree(self.pid))

    def cpu_seconds(self) -> float:
        """CPU time that its processes have used so far, those that ended left out."""
        return sum(_cpu(pid) for pid in _tree(self.pid))


@asynccontextmanager
async def framegate(folder: Path, service_url: str) -> AsyncIterator[Gateway]:
    """This project's gateway, with two accounts at the service."""
    accounts = [
        f'[[accounts]]\nprovider = "openrouter"\nname = "{name}"\napi_key = "{key}"\nbase_url = "{service_url}/api/v1"'
        for name, key in KEYS.items()
    ]
    (folder / "framegate.toml").write_text("\n\n".join(accounts))
    gateway = FramegateProcess(folder, workers=1, flags=())
    gateway.spawn()
    try:
        await gateway.ready()
        owner = json.loads((gateway.data / "lock").read_bytes())
        async with _client(f"{gateway.url}/api/v1") as http:
            yield Gateway("Framegate", http, int(owner["pid"]))
    finally:
        await gateway.stop()


@asynccontextmanager
async def litellm(folder: Path, service_url: str, venv: Path) -> AsyncIterator[Gateway]:
    """LiteLLM's proxy out of that environment: one model with one account, one with two. Retries as they come."""
    deployments = [_deployment("single", "a", service_url), *(_deployment("pair", one, service_url) for one in KEYS)]
    config = folder / "litellm.json"  # JSON is YAML
    config.write_text(json.dumps({"model_list": deployments, "general_settings": {"master_key": KEY}}))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # It has a key for where it goes by itself, and no way there but through the service, which tells of it.
    out = {"HTTPS_PROXY": service_url, "https_proxy": service_url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    environ = {**os.environ, **out, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_API_KEY": "sk-default"}
    with (folder / "litellm.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            venv / "bin" / "litellm",
            *("--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environ,
            cwd=folder,
            start_new_session=True,
        )
    try:
        async with _client(f"http://127.0.0.1:{port}/v1") as http:
            await _until_up(http, process, folder / "litellm.log")
            yield Gateway(f"LiteLLM {_version(venv)}", http, process.pid)
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
        except TimeoutError:
            process.kill()
            await process.wait()


def _deployment(model: str, account: str, service_url: str) -> dict[str, Any]:
    where = {"api_base": f"{service_url}/v1", "api_key": KEYS[account], "timeout": TIMEOUT_SECONDS}
    return {"model_name": model, "litellm_params": {"model": "openai/sora-2", **where}}


def _version(venv: Path) -> str:
    found = next(venv.glob("lib/python*/site-packages/litellm-*.dist-info"), None)
    return found.name.removeprefix("litellm-").removesuffix(".dist-info") if found else "of unknown version"


def _client(url: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=url, headers={"authorization": f"Bearer {KEY}"}, timeout=300, trust_env=False)


async def _until_up(http: httpx2.AsyncClient, process: asyncio.subprocess.Process, log: Path) -> None:
    until = time.monotonic() + READY_SECONDS_MAX
    while process.returncode is None and time.monotonic() < until:
        with suppress(httpx2.TransportError):
            if (await http.get("/models")).status_code == 200:
                return
        await asyncio.sleep(LOOK_SECONDS)
    said = await anyio.Path(log).read_text(errors="replace")
    raise RuntimeError(f"LiteLLM's proxy did not come up:\n{said[-4000:]}")


def _tree(pid: int) -> list[int]:
    children = [
        int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()
    ]
    return [pid, *(one for child in children for one in _tree(child))]


def _cpu(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _rss(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
