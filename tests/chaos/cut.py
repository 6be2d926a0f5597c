"""A gateway that is killed, by SIGKILL, at one exact place: `python cut.py SETTINGS PLACE`."""

import json
import os
import signal
import socket
import sys

from framegate.app.server import run
from framegate.config.settings import Settings
from framegate.domain import State
from framegate.storage.blobs import BlobStore
from framegate.store import Store


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def half_a_copy():
    """The video is half copied into the temporary folder, as where renders lie on another disk."""
    real = BlobStore._add_file

    def add_file(self, source, media_type, move):
        if media_type == "video/mp4":
            whole = source.read_bytes()
            self.scratch().write_bytes(whole[: len(whole) // 2])
            die()
        return real(self, source, media_type, move)

    BlobStore._add_file = add_file


def before_the_rename():
    """The video is whole and on disk, and not yet under its hash."""
    real = BlobStore._commit

    def commit(self, path, sha256, size, media_type):
        if media_type == "video/mp4":
            die()
        return real(self, path, sha256, size, media_type)

    BlobStore._commit = commit


def after_the_rename():
    """The video lies under its hash, and the job does not know of it."""
    real = BlobStore._commit

    def commit(self, path, sha256, size, media_type):
        blob = real(self, path, sha256, size, media_type)
        if media_type == "video/mp4":
            die()
        return blob

    BlobStore._commit = commit


def before_the_end():
    """The video is checked, and the job is not yet written as completed."""
    real = Store.apply

    async def move(self, job, **how):
        if job.state is State.COMPLETED:
            die()
        return await real(self, job, **how)

    Store.apply = move


PLACES = {
    "half a copy": half_a_copy,
    "before the rename": before_the_rename,
    "after the rename": after_the_rename,
    "before the end": before_the_end,
}

if __name__ == "__main__":
    PLACES[sys.argv[2]]()
    settings = Settings(**json.loads(sys.argv[1]))
    listener = socket.create_server((settings.host, settings.port))
    run(settings, listener, on_ready=lambda url: print(url, flush=True), log_level="warning")  # noqa: T201 - to the test
