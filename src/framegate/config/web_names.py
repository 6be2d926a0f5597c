"""Hostnames and web origins, as operators write them and as browsers send them: one parser for all uses."""

import ipaddress
import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
HOSTNAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?", re.ASCII)
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.ASCII)


def parse_host(text: str) -> str:
    """Return a hostname or an IP address in the form in which hosts are compared. Raises `ValueError`."""
    name = text.lower().rstrip(".")
    if "://" in name or "/" in name:
        raise ValueError(f"must be a hostname without a scheme and a path, such as `a.example`, not `{text}`")
    try:
        return str(ipaddress.ip_address(name.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    if ":" in name:
        raise ValueError(f"must be a hostname without a port: `{name.partition(':')[0]}`, not `{text}`")
    try:
        ascii_name = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        ascii_name = ""
    if not HOSTNAME.fullmatch(ascii_name):
        hint = "; name each host" if "*" in text else ""
        raise ValueError(f"must be a hostname such as `a.example`, not `{text}`{hint}")
    return ascii_name


def parse_origin(text: str) -> str:
    """Return an origin as browsers send it: lower case, without the scheme's default port. Raises `ValueError`."""
    scheme, separator, rest = text.removesuffix("/").lower().partition("://")
    if not separator:
        hint = f"; write `https://{text}`" if HOSTNAME.fullmatch(text.lower()) else ""
        example = "an origin such as `https://a.example`"
        every = "; name each origin, since any page may be hostile" if text == "*" else ""
        raise ValueError(f"must be {example}, not `{text}`{hint}{every}")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if not SCHEME.fullmatch(scheme) or not host or port == 0:
        raise ValueError(f"must be an origin such as `https://a.example`, not `{text}`")
    if parts.path or parts.query or parts.fragment or "@" in rest or "?" in rest or "#" in rest:
        raise ValueError(
            f"must be an origin without a path: `{scheme}://{parts.netloc.rpartition('@')[2]}`, not `{text}`"
        )
    host = parse_host(f"[{host}]" if ":" in host else host)
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" + (f":{port}" if port and port != DEFAULT_PORTS.get(scheme) else "")


def normal_origin(text: str) -> str | None:
    """Return an origin for comparison, or None for what is none, such as `null`."""
    try:
        return parse_origin(text)
    except ValueError:
        return None


def parse_list(entries: Iterable[str], parse: Callable[[str], str]) -> tuple[str, ...]:
    """Return each entry parsed, without spaces around it; empty entries are left out. Raises `ValueError`."""
    texts = [text for entry in entries if (text := entry.strip())]
    for text in texts:
        if text[0] in "[\"'" and not text.startswith("[:") and not re.match(r"\[[0-9a-f]*:", text.lower()):
            raise ValueError(f"must be separated by commas, without brackets and quotes, not `{text}`")
        if len(text.split()) > 1:
            raise ValueError(f"must be separated by commas: `{', '.join(text.split())}`, not `{text}`")
    return tuple(dict.fromkeys(parse(text) for text in texts))
