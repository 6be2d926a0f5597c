"""Whom a dialect may be asked to call back."""

import ipaddress
from urllib.parse import urlsplit

from framegate.config.settings import Settings
from framegate.domain import Problem


def callback_problem(url: str, settings: Settings, *, field: str) -> Problem | None:
    """What is wrong with an address that the client wants to be called at: it must be https.

    Where private addresses are allowed, plain http to this machine will do.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    near = settings.allow_private_addresses and parts.scheme == "http" and _is_loopback(host or "")
    if host and (parts.scheme == "https" or near):
        return None
    message = f"`{field}` must be an https address; `{url[:80]}` is not."
    return Problem(code="invalid_value", pointer=f"/{field.replace('.', '/')}", message=message)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
