"""Examples of the README, with another address and key. Those of the SDK and of fal run in their own tests."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from support.pages import blocks, readme
from support.served_gateway import ServedGateway

PYTHON = {name: block for block in blocks(readme(), "python") for name in ("openrouter", "phaseo") if name in block}
JS = {
    name: block
    for block in blocks(readme(), "js")
    for name in ("OpenRouter", "pictory", "polling_url")
    if name in block
}


def adapted(code: str, gateway: ServedGateway) -> str:
    return code.replace("http://127.0.0.1:8787", gateway.url).replace('any"', f'{gateway.key}"')


@pytest.mark.parametrize("name", ["openrouter", "phaseo"])
def test_a_python_example_creates_a_job(name: str, sandbox_gateway: ServedGateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PHASEO_DEVTOOLS", "0")
    code = adapted(PYTHON[name], sandbox_gateway) + "\nprint(job['status'] if isinstance(job, dict) else job.status)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] in ("pending", "in_progress", "queued", "processing", "completed")


@pytest.mark.node
@pytest.mark.parametrize("name", ["pictory", "polling_url"])
def test_a_fetch_example_creates_a_job(name: str, plain_node: Callable[..., str], sandbox_gateway: ServedGateway):
    assert "status" in json.dumps(run_js(name, plain_node, sandbox_gateway))


@pytest.mark.node
@pytest.mark.slow
def test_the_javascript_example_creates_a_job(node: Callable[..., str], sandbox_gateway: ServedGateway):
    assert run_js("OpenRouter", node, sandbox_gateway)["status"] in ("pending", "in_progress", "completed")


def run_js(name: str, run: Callable[..., str], gateway: ServedGateway) -> dict[str, object]:
    code = adapted(JS[name], gateway) + "\nconsole.log(JSON.stringify(job));\n"
    return json.loads(run("--input-type=module", "-e", code))
