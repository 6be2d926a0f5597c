"""No input makes a 500, and every answer is as the OpenAPI description says: schemathesis over all operations."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.served_gateway import ServedGateway
from support.soak import amount

pytestmark = [pytest.mark.slow, pytest.mark.soak]

EXAMPLES_MAX = amount(2, 200)
SECONDS_MAX = amount(300, 3600)
OPERATIONS_LEAST = 15


def test_no_request_makes_a_server_error_or_an_undescribed_answer(
    serve_gateway: Callable[..., ServedGateway], photos: tuple[Path, ...], tmp_path: Path
):
    gateway = serve_gateway(renders=False)
    with gateway.client() as client:  # something to find, so that fuzzing gets past "no such job"
        kept = client.post("/assets", content=photos[0].read_bytes(), headers={"content-type": "image/png"}).json()
        reference = {"type": "image_url", "image_url": {"url": kept["url"]}}
        body = {"model": "framegate/animatic", "prompt": "x", "duration": 1, "input_references": [reference]}
        client.get(client.post("/videos", json=body).json()["polling_url"], params={"wait": 60}).raise_for_status()
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{gateway.api}/openapi.json"]
    options = ["--checks", "all", "--exclude-checks", "positive_data_acceptance"]  # models refuse what a schema allows
    bounds = ["--max-examples", str(EXAMPLES_MAX), "--generation-deterministic", "--warnings", "off"]
    done = subprocess.run(
        [*command, *options, *bounds, "-H", f"Authorization: Bearer {gateway.key}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    tested = re.search(r"Tested: (\d+)", done.stdout)
    assert tested, done.stdout[-2000:]
    assert int(tested[1]) >= OPERATIONS_LEAST
