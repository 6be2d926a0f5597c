"""TLS goes to the checked address and is verified against the name."""

import shutil
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from framegate.config.accounts import Account
from framegate.config.settings import Settings
from framegate.domain.errors import FramegateError, ProviderError, ReferenceUnusable
from framegate.net.fetcher import Fetcher
from framegate.net.tls import trusted_certificates
from framegate.providers.http import HttpProvider
from framegate.providers.registry import build_provider
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


@pytest.mark.parametrize("source", ["ca_bundle", "SSL_CERT_FILE", "none"])
async def test_an_authority_of_ones_own_is_trusted_for_references_webhooks_and_accounts(
    certificate: Path, server_tls: ssl.SSLContext, tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
):
    if source == "SSL_CERT_FILE":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusted_certificates.cache_clear()
    bundle = certificate if source == "ca_bundle" else None
    settings = Settings(data_dir=tmp_path, ca_bundle=bundle)
    results: list[str] = []
    async with listening(Web(), server_tls) as web:
        url = web.url("/a.png", host="pictures.example", scheme="https")
        web.says("/a.png", answer(b"\x89PNG"))
        async with Fetcher(settings, resolve=resolve, blocked_reason=lambda _: None) as net:
            for attempt in (
                net.fetch(url, tmp_path / "file", bytes_max=100, seconds_max=10),
                net.post(url, b"{}", headers={}, seconds_max=10),
            ):
                try:
                    await attempt
                    results.append("ok")
                except FramegateError as error:
                    results.append(error.message)
        account = Account(provider="openrouter", api_key="k", base_url=f"https://127.0.0.1:{web.port}")
        provider = build_provider(account, settings)
        assert isinstance(provider, HttpProvider)
        try:
            await provider.client.query("GET", "a.png")
        except ProviderError as error:
            results.append(error.message)
        await provider.close()
    trusted_certificates.cache_clear()

    if source == "none":
        assert all("set `ca_bundle`" in message for message in results)
    else:  # the certificate is for another name than the account's address
        assert results[:2] == ["ok", "ok"]


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_bundle_that_cannot_be_read_is_an_error_at_start(tmp_path: Path, content: str | None):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match="PEM file with certificates"):
        Settings(data_dir=tmp_path, ca_bundle=file)
