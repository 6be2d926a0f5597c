"""The disk under the data folder: what its errors mean, and the space that is left."""

import errno
import os
from pathlib import Path

from framegate.domain.errors import StorageFull, Unavailable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_UNUSABLE = frozenset({errno.EROFS, errno.EIO, errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ESTALE})


def disk_error(error: OSError) -> Unavailable | None:
    """Return an error of the operating system as the gateway's; None if it is not about the disk.

    The message has no path, since clients read it; the log has the original.
    """
    if error.errno in _FULL:
        return StorageFull()
    if error.errno in _UNUSABLE:
        return _unusable()
    return None


def trouble(folder: Path, free_bytes_min: int = 0) -> Unavailable | None:
    """Return why nothing new should be stored in a folder, as an error that names no path; None if all is well."""
    try:
        status = os.statvfs(folder)
    except OSError as error:
        return disk_error(error) or _unusable()
    if status.f_flag & os.ST_RDONLY:
        return _unusable()
    return StorageFull() if status.f_bavail * status.f_frsize < free_bytes_min else None


def _unusable() -> Unavailable:
    return Unavailable("The gateway cannot use its data folder. Try again later.", code="storage_unavailable")
