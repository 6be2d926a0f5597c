"""Check the wheel of the current commit: reproducible, complete, and working on its own.

    python scripts/check_wheel.py [--output dist]

Builds it twice, from two copies of the commit in different folders, and compares the bytes; compares its files with
those of the repository; installs it with the pinned requirements in an empty environment, and makes a video with it
from another folder. Needs git and hatchling, and a package index or a cache of it.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
PHOTO = ROOT / "tests/support/photos/rocket.jpg"
TIMEOUT_SECONDS = 900


class CheckFailed(Exception):
    """The wheel is not as it must be."""


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Run a command to its end and return what it printed; a failure ends the check."""
    own = ("FRAMEGATE_", "PYTHON", "VIRTUAL_ENV")  # these could lead to the source tree or to a server
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    result = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if result.returncode:
        raise CheckFailed(f"{' '.join(map(str, command))}: exit status {result.returncode}\n{result.stderr}")
    return result.stdout.strip()


def build(folder: Path) -> Path:
    """Build the wheel from a copy of the commit in `folder`, dated as the commit."""
    folder.mkdir(parents=True)
    archive = folder.parent / f"{folder.name}.tar"
    run("git", "archive", "--output", archive, "HEAD", cwd=ROOT)
    shutil.unpack_archive(archive, folder, filter="data")
    epoch = run("git", "log", "-1", "--format=%ct", cwd=ROOT)
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", cwd=folder, SOURCE_DATE_EPOCH=epoch)
    return next((folder / "dist").glob("*.whl"))


def check_reproducible(work: Path) -> Path:
    """Build twice and compare the hashes."""
    wheels = [build(work / "first"), build(work / "another" / "second")]
    hashes = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels]
    if hashes[0] != hashes[1]:
        raise CheckFailed(f"Two builds of one commit differ: {hashes[0]} and {hashes[1]}")
    print(f"reproducible: {wheels[0].name} sha256 {hashes[0]}")
    return wheels[0]


def check_files(wheel: Path) -> None:
    """Compare the wheel's files with the repository's."""
    listing = run("git", "ls-tree", "-r", "--name-only", "HEAD", "src/framegate", cwd=ROOT)
    expected = {name.removeprefix("src/") for name in listing.splitlines()}
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("framegate/")}
    if packed != expected:
        raise CheckFailed(
            f"Missing from the wheel: {sorted(expected - packed)}. Not in git: {sorted(packed - expected)}"
        )
    if "framegate/py.typed" not in packed:
        raise CheckFailed("py.typed is missing, so type checkers ignore the package's types.")
    data = sum(not name.endswith(".py") for name in packed)
    print(f"complete: {len(packed)} files, {data} of them data, py.typed among them")


def check_installed(wheel: Path, work: Path) -> None:
    """Install the wheel in an empty environment and make a video with it from another folder."""
    venv.create(work / "venv", with_pip=True)
    folder = work / "elsewhere"
    folder.mkdir()
    pip = (work / "venv/bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    run(*pip, "--require-hashes", "-r", ROOT / "requirements/run.txt", cwd=folder)
    run(*pip, "--no-deps", "--no-index", wheel, cwd=folder)
    framegate = work / "venv/bin/framegate"
    data = {"FRAMEGATE_DATA_DIR": str(work / "data")}
    print("installed:", run(framegate, "--version", cwd=folder, **data))
    photo = shutil.copy(PHOTO, folder)
    command = ("generate", "--reference", photo, "--prompt", "slow push-in", "--duration", "1")
    run(framegate, *command, "--output", "video.mp4", cwd=folder, **data)
    run(framegate, "verify", "video.mp4", cwd=folder, **data)
    print(f"working: video.mp4, {(folder / 'video.mp4').stat().st_size:,} bytes")


def main(arguments: list[str]) -> int:
    """Run every check; return 1 with the reason if one fails."""
    parser = argparse.ArgumentParser(description="Check that the wheel is reproducible, complete and works.")
    parser.add_argument("--output", type=Path, help="folder to copy the checked wheel to")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="framegate-wheel-") as name:
        try:
            wheel = check_reproducible(Path(name))
            check_files(wheel)
            check_installed(wheel, Path(name))
        except CheckFailed as error:
            print(error, file=sys.stderr)
            return 1
        if options.output:
            options.output.mkdir(parents=True, exist_ok=True)
            shutil.copy(wheel, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
