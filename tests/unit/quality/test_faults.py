"""A short run of `python -m bench faults`; the full count is 260 clips."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import ROOT

PROGRAM = """
import sys
from pathlib import Path
from bench import faults
outcomes = faults.run(Path(sys.argv[1]), photos_most=1, workers=1)
print(faults.table(outcomes))
missed = [f"{one.clip.kind}: {one.missed}" for one in outcomes if one.missed]
sys.exit("; ".join(missed) if missed else None)
"""


@pytest.mark.slow
def test_no_good_clip_is_warned_of_and_no_planted_fault_is_passed_over(tmp_path: Path):
    root = ROOT
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    kinds = [line[:28].strip() for line in ran.stdout.splitlines()[1:]]
    assert len(kinds) == 19
