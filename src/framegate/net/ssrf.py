"""Which addresses a client may send the gate to, and what a host that is written as an address stands for."""

import ipaddress
import re
import socket

from framegate.domain.errors import ReferenceUnusable

# Where clouds answer with credentials; refused even when private addresses are allowed.
METADATA = frozenset({"169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "192.0.0.192"})
PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "::1", "fc00::/7")
)
NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")


def embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for: mapped, compatible, 6to4, Teredo or NAT64 (RFC 6052)."""
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if any(address in network for network in (*NAT64, IPV4_COMPATIBLE)):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def blocked_address_reason(address: str, *, private_allowed: bool = False) -> str | None:
    """What kind of address this is, if nobody's reference may come from there; None where it may.

    With `private_allowed`, private and loopback addresses pass; link-local, metadata, multicast, reserved and
    translated addresses never do.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if str(ip) in METADATA:
        return "a cloud metadata address"
    if isinstance(ip, ipaddress.IPv6Address) and ip != ipaddress.IPv6Address("::1") and (inner := embedded_ipv4(ip)):
        return f"an IPv6 form of the IPv4 address {inner}"
    if any(ip in network for network in PRIVATE if network.version == ip.version):
        return None if private_allowed else "a loopback address" if ip.is_loopback else "a private address"
    if ip.is_link_local:
        return "a link-local address"
    if ip.is_multicast:
        return "a multicast address"
    site_local = isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local
    return None if ip.is_global and not site_local else "a reserved address"


def literal_address(host: str) -> str | None:
    """The address that a host spells out, or None for a name.

    Raises `ReferenceUnusable` for the spellings that only some resolvers read as an address (decimal, octal, hex or
    shortened IPv4), since two readers may disagree on where they lead.
    """
    bare = host.strip("[]").rstrip(".")
    try:
        return str(ipaddress.ip_address(bare.partition("%")[0]))
    except ValueError:
        pass
    if not re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)", bare.rpartition(".")[2], re.IGNORECASE):
        return None
    try:
        meant = str(ipaddress.IPv4Address(socket.inet_aton(bare)))
    except (OSError, UnicodeError):
        meant = ""
    if meant and (kind := blocked_address_reason(meant)):
        raise ReferenceUnusable("reference_private_address", f"The host `{host}` is {kind}, oddly written.")
    raise ReferenceUnusable("reference_bad_url", f"The host `{host}` is no name; write an address as 203.0.113.7.")
