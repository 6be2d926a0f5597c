"""Folders and files that only their owner can read: keys, requests and finished videos are in them."""

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private_folder(path: Path) -> None:
    """Create a folder, and its missing parents, for its owner alone, whatever the umask; an existing one stays."""
    if path.is_dir():
        return
    if not path.parent.is_dir():
        make_private_folder(path.parent)
    path.mkdir(mode=FOLDER_MODE, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Create an empty file for its owner alone, whatever the umask; an existing one stays."""
    path.touch(mode=FILE_MODE)


def exposed(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the paths that other users of this machine may read or write; a missing one is skipped."""
    for path in paths:
        try:
            if path.stat().st_mode & _OTHERS:
                yield path
        except FileNotFoundError:
            continue
