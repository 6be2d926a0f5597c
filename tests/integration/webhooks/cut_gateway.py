"""A gateway that is killed by SIGKILL at one exact place: `python cut_gateway.py SETTINGS PLACE`."""

import json
import logging
import os
import signal
import socket
import sys
from typing import Any

from framegate.app.server import run
from framegate.config.settings import Settings
from framegate.net.fetcher import Fetcher
from framegate.store.outbox import Outbox


async def die(*_args: object, **_named: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def before_it_is_sent():
    """The job has ended, and nothing of its webhook has left."""
    Fetcher.post = die


def before_it_is_noted():
    """The receiver has taken the webhook, and the gateway has not written that down."""
    Outbox.record = die


PLACES = {"nowhere": lambda: None, "before it is sent": before_it_is_sent, "before it is noted": before_it_is_noted}

if __name__ == "__main__":
    PLACES[sys.argv[2]]()
    logging.basicConfig(level="DEBUG")
    settings = Settings(**json.loads(sys.argv[1]))
    listener = socket.create_server((settings.host, settings.port))
    run(settings, listener, on_ready=lambda url: print(url, flush=True), log_level="debug")  # noqa: T201 - to the test
