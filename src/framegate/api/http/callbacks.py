"""Validation of webhook URLs."""

import ipaddress
from urllib.parse import urlsplit

from framegate.config.settings import Settings
from framegate.domain import Problem


def callback_problem(url: str, settings: Settings, *, field: str) -> Problem | None:
    """Return the problem of a webhook URL, which must be https.

    http is accepted where a setting allows it, and to a loopback address if private addresses are allowed.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    may_be_http = settings.allow_http_webhooks or (settings.allow_private_addresses and _is_loopback(host or ""))
    if host and (parts.scheme == "https" or (parts.scheme == "http" and may_be_http)):
        return None
    message = f"`{field}` must be an https URL, not `{url[:80]}`."
    if parts.scheme == "http":
        message += " The operator can allow http with the setting `allow_http_webhooks`."
    return Problem(code="invalid_value", pointer=f"/{field.replace('.', '/')}", message=message)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
