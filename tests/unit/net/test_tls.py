"""TLS goes to the checked address and is verified against the name."""

import shutil
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from framegate.config.settings import Settings
from framegate.domain.errors import ReferenceUnusable
from framegate.net.fetcher import Fetcher
from support.web_server import Web, answer, listening

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl"),
]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for pictures.example and its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
    command += " -addext subjectAltName=DNS:pictures.example -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    (folder / "both.pem").write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return folder / "both.pem"


async def resolve(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_the_tls_handshake_sends_and_verifies_the_host_name(
    settings: Settings, certificate: Path, server_tls: ssl.SSLContext, tmp_path: Path
):
    named: list[str | None] = []
    server_tls.sni_callback = lambda _, name, __: named.append(name)
    trust = ssl.create_default_context(cafile=str(certificate))
    async with listening(Web(), server_tls) as web:
        web.says("/a.png", answer(b"\x89PNG"))
        async with Fetcher(settings, resolve=resolve, blocked_reason=lambda _: None, ssl_context=trust) as net:
            url = web.url("/a.png", host="pictures.example", scheme="https")
            fetched = await net.fetch(url, tmp_path / "file", bytes_max=100, seconds_max=10)
    assert fetched.size_bytes == 4
    assert named == ["pictures.example"]
    assert f"host: pictures.example:{web.port}" in web.requests[0].lower()


@pytest.mark.parametrize(("host", "trusted"), [("other.example", True), ("pictures.example", False)])
async def test_a_certificate_for_another_name_or_from_an_untrusted_authority_is_rejected(
    settings: Settings, certificate: Path, server_tls: ssl.SSLContext, tmp_path: Path, host: str, trusted: bool
):
    trust = ssl.create_default_context(cafile=str(certificate)) if trusted else None
    async with listening(Web(), server_tls) as web:
        web.says("/a.png", answer(b"\x89PNG"))
        async with Fetcher(settings, resolve=resolve, blocked_reason=lambda _: None, ssl_context=trust) as net:
            url = web.url("/a.png", host=host, scheme="https")
            with pytest.raises(ReferenceUnusable, match="certificate is not trusted") as caught:
                await net.fetch(url, tmp_path / "file", bytes_max=100, seconds_max=10)
    assert (caught.value.code, caught.value.retryable) == ("reference_unreachable", False)
    assert web.requests == []
