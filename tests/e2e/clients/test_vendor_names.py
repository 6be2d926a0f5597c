"""Clients that are configured with nothing but a key, by the services' own names, with the guide's Caddy in front."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from support.fal_gateway import ENDPOINT
from support.pages import example, page
from support.served_gateway import ServedGateway

pytestmark = pytest.mark.slow

START_SECONDS_MAX = 30
# What DNS does: every name leads to the proxy on this machine.
REDIRECT = """
import os, socket
ask = socket.getaddrinfo
def redirected(host, port, *rest, **more):
    if str(host).endswith((".ai", ".app", ".run", ".media")):
        return ask("127.0.0.1", int(os.environ["PROXY_PORT"]), *rest, **more)
    return ask(host, port, *rest, **more)
socket.getaddrinfo = redirected
"""
OPENROUTER = """
import sys
from openrouter import OpenRouter
with OpenRouter(api_key=sys.argv[1]) as client:
    reference = {"type": "image_url", "image_url": {"url": sys.argv[2]}}
    job = client.video_generation.generate(
        model="framegate/animatic", prompt="slow push in", duration=1, resolution="360p", input_references=[reference]
    )
    while job.status in ("pending", "in_progress"):
        job = client.video_generation.get_generation(job_id=job.id)
    print(len(client.video_generation.get_video_content(job_id=job.id, index=0).read()))
"""
PHASEO = """
import sys, time
from phaseo import Phaseo
client = Phaseo(api_key=sys.argv[1])
reference = {"type": "image_url", "role": "reference", "image_url": {"url": sys.argv[2]}}
job = client.videos.create(
    {"model": "framegate/animatic", "prompt": "slow push in", "duration": 1, "input_references": [reference]}
)
while job["status"] in ("queued", "processing"):
    time.sleep(0.05)
    job = client.videos.retrieve(job["id"])
print(len(client.videos.content(job["id"])))
"""
PICTORY = """
import json, sys, time
from urllib.request import Request, urlopen
base, headers = "https://api.pictory.ai/pictoryapis", {"Authorization": sys.argv[1], "Content-Type": "application/json"}
body = {"model": "framegate/animatic", "prompt": "slow push in", "duration": "1s", "referenceImageUrls": [sys.argv[2]]}
answer = json.load(urlopen(Request(f"{base}/v1/aistudio/videos", json.dumps(body).encode(), headers)))
data = {"status": "in-progress"}
while data["status"] == "in-progress":
    time.sleep(0.05)
    data = json.load(urlopen(Request(f"{base}/v1/jobs/{answer['data']['jobId']}", headers=headers)))["data"]
print(len(urlopen(data["url"]).read()))
"""
FAL = f"""
import sys, urllib.request, fal_client
client = fal_client.SyncClient(key=sys.argv[1])
body = {{"prompt": "push in", "reference_image_urls": [sys.argv[2]], "duration": 1, "resolution": "480p"}}
result = client.subscribe({ENDPOINT!r}, arguments=body)
print(len(urllib.request.urlopen(result["video"]["url"]).read()))
"""


@pytest.fixture(scope="module")
def environment(sandbox_gateway: ServedGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a client whose names lead to Caddy, run with the Caddyfile of the guide."""
    if shutil.which("caddy") is None:
        pytest.skip("waits for Caddy, which is not on this machine")
    folder = tmp_path_factory.mktemp("caddy")
    with socket.create_server(("127.0.0.1", 0)) as https, socket.create_server(("127.0.0.1", 0)) as http:
        port, http_port = https.getsockname()[1], http.getsockname()[1]
    recipe = example(page("guides/vendor-hostnames.md"), "caddyfile")
    recipe = recipe.replace("127.0.0.1:8787", sandbox_gateway.url.removeprefix("http://"))
    # Only what a test on a shared machine needs beside the recipe: free ports, and no change to the machine's trust.
    ports = f"{{\n\tadmin off\n\tskip_install_trust\n\thttps_port {port}\n\thttp_port {http_port}\n}}\n"
    (folder / "Caddyfile").write_text(ports + recipe, encoding="utf-8")
    (folder / "sitecustomize.py").write_text(REDIRECT, encoding="utf-8")
    root = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    homes = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
    command = ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with (folder / "log").open("w", encoding="utf-8") as log:
        caddy = subprocess.Popen(command, env={**os.environ, **homes}, stdout=log, stderr=log)
    try:
        until = time.monotonic() + START_SECONDS_MAX
        while not (root.exists() and _answers(port)):
            assert caddy.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.05)
        authorities = {"SSL_CERT_FILE": str(root), "REQUESTS_CA_BUNDLE": str(root), "NODE_EXTRA_CA_CERTS": str(root)}
        yield {**os.environ, **authorities, "PROXY_PORT": str(port), "PYTHONPATH": str(folder)}
    finally:
        caddy.terminate()
        caddy.wait(START_SECONDS_MAX)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("script", [OPENROUTER, PHASEO, PICTORY, FAL], ids=["openrouter", "phaseo", "pictory", "fal"])
def test_a_python_client_gets_its_video_by_the_services_own_name(
    environment: dict[str, str], sandbox_gateway: ServedGateway, sandbox_asset: str, script: str
):
    done = subprocess.run(
        [sys.executable, "-c", script, sandbox_gateway.key, sandbox_asset],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1000


def test_the_ai_sdk_gets_its_videos_by_the_services_own_names(
    environment: dict[str, str], ai7_node: Callable[..., str], sandbox_gateway: ServedGateway, picture: str
):
    seen = json.loads(
        ai7_node("names.mjs", sandbox_gateway.key, picture, ENDPOINT, first="./redirect.mjs", env=environment)
    )

    assert seen == {"fal": "video/mp4", "openrouter": "video/mp4"}
