"""No input makes a 500 or an undescribed answer in the dialects of other services: schemathesis over all operations."""

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
OPERATIONS_MIN = 4


@pytest.mark.parametrize(("path", "scheme"), [("/phaseo/v1", "Bearer "), ("/pictory", "")])
def test_no_request_makes_a_server_error_or_an_undescribed_answer(
    serve_gateway: Callable[..., ServedGateway], tmp_path: Path, path: str, scheme: str
):
    gateway = serve_gateway(sandbox=True, renders=False)
    with gateway.client() as client:  # something to find, so that fuzzing gets past "no such job"
        body = {"model": "framegate/animatic", "prompt": "x", "duration": 1}
        client.get(client.post("/videos", json=body).json()["polling_url"], params={"wait": 60}).raise_for_status()
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{gateway.url}{path}/openapi.json"]
    options = ["--checks", "all", "--exclude-checks", "positive_data_acceptance"]  # models refuse what a schema allows
    bounds = ["--max-examples", str(EXAMPLES_MAX), "--generation-deterministic", "--warnings", "off"]
    done = subprocess.run(
        [*command, *options, *bounds, "-H", f"Authorization: {scheme}{gateway.key}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    tested = re.search(r"Tested: (\d+)", done.stdout)
    assert tested is not None
    assert int(tested[1]) >= OPERATIONS_MIN
