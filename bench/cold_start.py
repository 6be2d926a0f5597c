"""Cold starts: what `framegate --help` costs, and how far a whole `framegate generate` is from the encode alone."""

import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from importlib.resources import as_file, files
from pathlib import Path

import av

from framegate.animatic.camera.path import Size
from framegate.animatic.output.encoder import VideoWriter

HELP_CPU_SECONDS_MAX = 0.3
ENCODES_MAX = 3.0  # the whole generate, in encodes
START_SECONDS_MAX = 1.5  # and what may come on top
RUNS = 5
FRAMEGATE = (sys.executable, "-m", "framegate")


def main() -> int:
    """Measure, print, and return 1 when a promise is missed."""
    with tempfile.TemporaryDirectory() as scratch:
        help_cpu = statistics.median(_cpu_seconds(("--help",), Path(scratch)) for _ in range(RUNS))
        whole: list[float] = []
        alone: list[float] = []
        for run in range(RUNS):
            folder = Path(scratch) / str(run)
            folder.mkdir()
            whole.append(_generate(folder))
            alone.append(_encode(folder / "out.mp4", folder / "again.mp4"))
    generate, encode = statistics.median(whole), statistics.median(alone)
    allowed = ENCODES_MAX * encode + START_SECONDS_MAX
    print(f"framegate --help: {help_cpu:.3f} s of CPU (at most {HELP_CPU_SECONDS_MAX})")
    print(f"framegate generate, 4 s of 720p, cold, to the file (its report apart): {generate:.2f} s")
    print(f"the encode alone: {encode:.2f} s")
    print(f"that is {generate / allowed:.2f} of what is allowed: {ENCODES_MAX:g} encodes + {START_SECONDS_MAX} s")
    return int(help_cpu > HELP_CPU_SECONDS_MAX or generate > allowed)


def _cpu_seconds(arguments: tuple[str, ...], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run((*FRAMEGATE, *arguments), cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _generate(folder: Path) -> float:
    """The wall time from the command's start to its file, in a data folder that nobody has used.

    The command ends a moment after; what counts is when the file was there, by the clock of the disk.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEGATE_")}
    flags = ("--prompt", "a slow push-in at dusk", "--duration", "4", "--resolution", "720p", "-o", "out.mp4")
    with as_file(files("framegate.media") / "sample_photos" / "rocket.jpg") as photo:
        command = (*FRAMEGATE, "generate", "--reference", str(photo), *flags, "--data", "data")
        began = time.time()
        subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
        whole = (folder / "out.mp4").stat().st_mtime - began
    return whole - _report(folder / "data" / "framegate.db")


def _report(database: Path) -> float:
    """How long the report on the finished file took: the file stands before it, and the target is the file's."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT state, MIN(at) FROM events GROUP BY state")
        began = dict(rows.fetchall())
    return began["completed"] - began["checking"]


def _encode(video: Path, again: Path) -> float:
    """The wall time of encoding the same frames with the same settings, and of nothing else."""
    with av.open(str(video)) as container:
        frames = list(container.decode(video=0))
        rate = container.streams.video[0].average_rate
    began = time.perf_counter()
    with VideoWriter(str(again), Size(frames[0].width, frames[0].height), round(rate or 24)) as writer:
        for frame in frames:
            writer.write(frame)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
