"""A short run of `python -m bench.crash`; the full count is 200 kills."""

import subprocess
import sys

import pytest

from support.paths import ROOT
from support.soak import amount


@pytest.mark.slow
@pytest.mark.soak
def test_kills_at_random_moments_under_load_lose_nothing_and_double_nothing(tmp_path):
    command = [
        sys.executable,
        "-m",
        "bench.crash",
        "--kills",
        str(amount(1, 200)),
        "--seed",
        "15",
        "--folder",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "every promise held" in done.stdout
