"""The process's environment, and the two variables that the SDK and the command line read from it."""

import os
import re
from collections.abc import Mapping

API_KEY_PATTERN = re.compile(r"[!-~]+")  # what an HTTP header can carry unchanged


def environment() -> Mapping[str, str]:
    """The process's environment, to pass on to a child or to look up a switch such as NO_COLOR."""
    return os.environ


def client_defaults(environ: Mapping[str, str] | None = None) -> tuple[str | None, str | None]:
    """Default server and key of the SDK and the command line: FRAMEGATE_URL and FRAMEGATE_API_KEY."""
    environ = os.environ if environ is None else environ
    return environ.get("FRAMEGATE_URL") or None, environ.get("FRAMEGATE_API_KEY") or None
