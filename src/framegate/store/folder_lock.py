"""Lock of a data folder: one process at a time, which others can identify."""

import fcntl
import json
import os
from pathlib import Path
from typing import IO, Any

from framegate.domain.errors import DataFolderBusy
from framegate.storage.private import make_private_file, make_private_folder


class FolderLock:
    """An exclusive lock on a data folder; the system releases it when its process ends.

    The lock file contains the `pid` of its process, whether it is a `sandbox` and, once it serves, its `url`.
    """

    def __init__(self, folder: Path, *, sandbox: bool = False) -> None:
        self.path = folder / "lock"
        self._sandbox = sandbox
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Lock the folder. Raises `DataFolderBusy`, which names the process that has the lock."""
        make_private_folder(self.path.parent)
        make_private_file(self.path)
        file = self.path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            owner = read_owner(self.path.parent)
            address = f" at {owner['url']}" if owner.get("url") else ""
            process = f"Another Framegate process (pid {owner.get('pid', 'unknown')}{address})"
            raise DataFolderBusy(
                f"{process} uses the data folder {self.path.parent}. Connect to it (--server or FRAMEGATE_URL), "
                "stop it, or use another folder (--data)."
            ) from error
        self._file = file
        self.announce(None)

    def announce(self, url: str | None) -> None:
        """Write the process id and the URL for other processes to read."""
        if self._file is None:
            return
        self._file.seek(0)
        self._file.truncate()
        json.dump({"pid": os.getpid(), "url": url, "sandbox": self._sandbox}, self._file)
        self._file.flush()

    def release(self) -> None:
        """Release the lock."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            self._file.close()
            self._file = None


def read_owner(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's lock file; empty if the folder is not in use."""
    try:
        owner: Any = json.loads((folder / "lock").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}  # pyright: ignore[reportUnknownVariableType] - JSON
