"""Validation of webhook URLs."""

import ipaddress
from urllib.parse import urlsplit

from framegate.config.settings import Settings
from framegate.domain import Problem


def callback_problem(url: str, settings: Settings, *, field: str) -> Problem | None:
    """Return the problem of a webhook URL, which must be https.

    If private addresses are allowed, http to a loopback address is accepted too.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    is_local = settings.allow_private_addresses and parts.scheme == "http" and _is_loopback(host or "")
    if host and (parts.scheme == "https" or is_local):
        return None
    message = f"`{field}` must be an https URL, not `{url[:80]}`."
    return Problem(code="invalid_value", pointer=f"/{field.replace('.', '/')}", message=message)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
