"""Short run of `python -m bench faults`, whose full run has 260 clips."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import ROOT

PROGRAM = """
import sys
from pathlib import Path
from bench import faults
outcomes = faults.run(Path(sys.argv[1]), photos_max=1, moves_max=1, workers=1)
print(faults.format_table(outcomes))
errors = [f"{outcome.clip.kind}: {outcome.error}" for outcome in outcomes if outcome.error]
sys.exit("; ".join(errors) if errors else None)
"""


@pytest.mark.slow
def test_good_clips_have_no_warning_and_every_planted_fault_is_detected(tmp_path: Path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
    kinds = [line[:28].strip() for line in result.stdout.splitlines()[1:]]
    assert len(kinds) == 19
