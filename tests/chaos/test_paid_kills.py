"""A short run of `python -m bench.crash_paid`; the full count is 1,000 kills."""

import re
import subprocess
import sys

import pytest

from support.paths import ROOT
from support.soak import amount


@pytest.mark.slow
@pytest.mark.soak
def test_kills_during_submits_to_a_failing_service_order_nothing_twice(tmp_path):
    arguments = ["--kills", str(amount(1, 200)), "--seed", "3", "--gateways", "1", "--folder", str(tmp_path)]
    command = [sys.executable, "-m", "bench.crash_paid", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "every promise held" in done.stdout
    figures = {name: int(count) for name, count in re.findall(r"^(\w[\w ]+?) +(\d+)$", done.stdout, re.MULTILINE)}
    assert figures["orders taken"] >= figures["completed"] > 0, done.stdout
    assert (figures["orders taken twice"], figures["jobs lost"], figures["keys sent there"]) == (0, 0, 0), done.stdout
