"""One process owns a data folder, and says who it is to the second one."""

import fcntl
import json
import os
from pathlib import Path
from typing import IO, Any

from framegate.domain.errors import DataFolderBusy


class FolderLock:
    """An exclusive lock on a data folder, let go by the system when its process dies.

    The lock file tells the owner's `pid` and, once it serves, its `url`.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the folder. Raises `DataFolderBusy`, which names the owner."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            owner = read_owner(self.path.parent)
            where = f", serving {owner['url']}" if owner.get("url") else ""
            who = f"Another Framegate (process {owner.get('pid', 'unknown')}{where})"
            raise DataFolderBusy(
                f"{who} owns the data folder {self.path.parent}. Use that one (--server or FRAMEGATE_URL), "
                "stop it, or give another folder with --data."
            ) from error
        self._file = file
        self.announce(None)

    def announce(self, url: str | None) -> None:
        """Write who owns the folder, for the second process to read."""
        if self._file is None:
            return
        self._file.seek(0)
        self._file.truncate()
        json.dump({"pid": os.getpid(), "url": url}, self._file)
        self._file.flush()

    def release(self) -> None:
        """Let the folder go."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            self._file.close()
            self._file = None


def read_owner(folder: Path) -> dict[str, Any]:
    """What the owner of a data folder says of itself; empty if nobody does."""
    try:
        owner: Any = json.loads((folder / "lock").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}  # pyright: ignore[reportUnknownVariableType] - JSON
