"""The rule for addresses, alone and enforced before a connection."""

import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.config.settings import Settings
from framegate.domain.errors import ReferenceUnusable
from framegate.net.fetcher import Fetcher
from framegate.net.ssrf import METADATA, PRIVATE, blocked_address_reason

pytestmark = pytest.mark.anyio

REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::7f00:1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "100::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00:1450::1"]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_blocked(address: str):
    assert blocked_address_reason(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str):
    assert blocked_address_reason(address) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.9", "100.64.0.9", "::1", "fd12::1"])
def test_the_setting_allows_private_and_loopback_addresses(address: str):
    assert blocked_address_reason(address, private_allowed=True) is None


@pytest.mark.parametrize("address", [*sorted(METADATA), "169.254.1.1", "::ffff:10.0.0.1", "224.0.0.1", "0.0.0.0"])
def test_no_setting_allows_metadata_link_local_or_disguised_addresses(address: str):
    assert blocked_address_reason(address, private_allowed=True)


@given(st.ip_addresses(v=4))
def test_an_ipv6_form_of_any_ipv4_address_is_blocked(inner: ipaddress.IPv4Address):
    number = int(inner)
    for base, shift in (("::ffff:0:0", 0), ("64:ff9b::", 0), ("64:ff9b:1::", 0), ("2002::", 80), ("::", 0)):
        form = ipaddress.IPv6Address(int(ipaddress.IPv6Address(base)) | number << shift)
        assert blocked_address_reason(str(form)), form


@given(st.sampled_from(PRIVATE).flatmap(lambda network: st.ip_addresses(network=str(network))))
def test_every_address_of_a_private_network_is_blocked(address: ipaddress.IPv4Address | ipaddress.IPv6Address):
    assert blocked_address_reason(str(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1:8080/",
        "http://127.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://0177.0.0.1/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0X7F.0.0.1/",
        "http://127.0.0.1./",
        "http://0/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "http://100.64.0.1/",
        "http://localhost/",
        "http://localhost./",
        "http://LOCALHOST/",
        "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
    ],
)
async def test_no_spelling_of_a_private_host_is_fetched(guarded: Fetcher, tmp_path: Path, url: str):
    with pytest.raises(ReferenceUnusable) as caught:
        await guarded.fetch(url, tmp_path / "file", bytes_max=1000, seconds_max=5)
    assert caught.value.code in ("reference_private_address", "reference_bad_url")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/a.png",
        "a.png",
        "",
        "http://",
        "http:///a.png",
        "http://[::1/",
        "http://exa mple.com/",
        "http://example.com:99999/",
        "http://user@example.com/",
        "http://user:password@example.com/a.png",
        "http://134744072/",
        "http://08.8.8.8/",
        "http://256.1.1.1/",
        "http://1.2.3.4.5/",
        "http://example.com/" + "a" * 9000,
        "http://\ud800.example/",
        "http://exam\x00ple.com/",
        "http://example.com/\r\nhost: other",
    ],
)
async def test_an_invalid_url_has_its_own_error_code(guarded: Fetcher, tmp_path: Path, url: str):
    with pytest.raises(ReferenceUnusable) as caught:
        await guarded.fetch(url, tmp_path / "file", bytes_max=1000, seconds_max=5)
    assert caught.value.code == "reference_bad_url"


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["2606:4700::1", "::1"]])
async def test_a_name_with_any_private_address_is_blocked_without_a_connection(
    settings: Settings, tmp_path: Path, addresses: Sequence[str], monkeypatch: pytest.MonkeyPatch
):
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    def connect(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", connect)
    async with Fetcher(settings, resolve=resolve) as net:
        with pytest.raises(ReferenceUnusable) as caught:
            await net.fetch("http://pictures.example/a.png", tmp_path / "file", bytes_max=1000, seconds_max=5)
    assert caught.value.code == "reference_private_address"
    assert not any(address in caught.value.message for address in addresses)  # nobody's network is mapped through us


async def test_an_unknown_host_name_is_unreachable_and_retryable(settings: Settings, tmp_path: Path):
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async with Fetcher(settings, resolve=resolve) as net:
        with pytest.raises(ReferenceUnusable) as caught:
            await net.fetch("http://pictures.example/a.png", tmp_path / "file", bytes_max=1000, seconds_max=5)
    assert (caught.value.code, caught.value.retryable) == ("reference_unreachable", True)
