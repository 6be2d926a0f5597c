"""Account probes: the service responds and accepts the key, and no order is placed."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from framegate import catalogue
from framegate.cli import doctor_probe
from framegate.config.accounts import Account
from framegate.config.settings import Settings
from framegate.domain.errors import ProviderError
from framegate.providers import health
from framegate.providers.base import Provider
from framegate.providers.registry import ADAPTERS, build_provider
from support.faulty_vendor import Fault, answer, cut, faulty, raw, silence
from support.gpu_servers import ServerState, SGLang, VllmOmni, serving
from support.served_gateway import ServedGateway, served_here

pytestmark = pytest.mark.anyio
KEY, WRONG = "the-key-of-the-account", "another-key-than-that"
DIALECT_PATHS = {
    "openrouter": "/api/v1",
    "modelgates": "/api/v1",
    "phaseo": "/phaseo/v1",
    "fal": "/fal",
    "pictory": "/pictory",
}
GPU_SERVERS = {"vllm_omni": VllmOmni, "sglang": SGLang}
I2V = "Wan-AI/Wan2.2-I2V-A14B-Diffusers"
HTML = "<!doctype html><html><body>Welcome</body></html>"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    """The gateway that replaces the services."""
    folder = tmp_path_factory.mktemp("upstream")
    with served_here(folder / "data", key=KEY, sandbox=True) as gateway:
        yield gateway


@contextmanager
def service(name: str, sandbox: ServedGateway) -> Iterator[str]:
    """The base URL of a service that requires `KEY`."""
    if name in DIALECT_PATHS:
        yield sandbox.url + DIALECT_PATHS[name]
        return
    with serving(GPU_SERVERS[name], ServerState(I2V, key=KEY)) as engine:
        yield engine.url
        assert engine.jobs == {}


def orders_of(sandbox: ServedGateway) -> list[object]:
    with sandbox.client() as api:
        return api.get("/videos").json()["data"]


async def probe(name: str, url: str, key: str | None = KEY) -> tuple[str, Provider]:
    adapter = build_provider(Account(provider=name, api_key=key, base_url=url))
    try:
        return await adapter.probe(), adapter
    finally:
        await adapter.close()


async def probe_error(name: str, url: str, key: str | None = KEY) -> ProviderError:
    with pytest.raises(ProviderError) as error:
        await probe(name, url, key)
    assert KEY not in error.value.message
    assert WRONG not in error.value.message
    return error.value


@pytest.mark.parametrize("name", sorted(ADAPTERS))
async def test_a_probe_distinguishes_a_valid_key_from_an_invalid_one_and_places_no_order(
    name: str, sandbox: ServedGateway
):
    with service(name, sandbox) as url:
        text, _ = await probe(name, url)
        wrong = await probe_error(name, url, WRONG)

    assert f"serves {I2V}" in text if name in GPU_SERVERS else "accepts the key" in text
    assert (wrong.code, "the key was rejected" in wrong.message) == (health.KEY_REFUSED, True)
    assert orders_of(sandbox) == []


@pytest.mark.parametrize("name", sorted(GPU_SERVERS))
async def test_a_probe_of_a_gpu_server_reports_the_served_model(name: str, sandbox: ServedGateway):
    with serving(GPU_SERVERS[name], ServerState("mine", root="/models/Wan2.2-I2V-A14B-Diffusers")) as engine:
        text, adapter = await probe(name, engine.url, None)

    assert text == "it serves mine"
    assert adapter.served_models == {"mine", "/models/Wan2.2-I2V-A14B-Diffusers"}


@pytest.mark.parametrize("name", sorted(ADAPTERS))
async def test_a_probe_of_a_closed_port_reports_unreachable(name: str):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = await probe_error(name, f"http://127.0.0.1:{port}")

    assert (error.code, "cannot be reached" in error.message) == (health.UNREACHABLE, True)


@pytest.mark.parametrize("name", sorted(DIALECT_PATHS))
async def test_a_probe_of_an_incomplete_base_url_reports_another_service(name: str, sandbox: ServedGateway):
    error = await probe_error(name, sandbox.url + "/elsewhere")

    assert (error.code, "base URL" in error.message) == (health.STRANGE, True)


FAULTS: dict[str, tuple[Fault, str]] = {
    "web page": (answer(200, HTML, content_type="text/html"), health.STRANGE),
    "web page not found": (answer(404, HTML, content_type="text/html"), health.STRANGE),
    "forbidden web page": (answer(403, HTML, content_type="text/html"), health.STRANGE),
    "another service": (answer(200, {"hello": "world"}), health.STRANGE),
    "redirect": (answer(302, location="http://elsewhere.test/login"), health.STRANGE),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), health.STRANGE),
    "connection aborted": (cut, health.STRANGE),
    "locked user": (answer(403, {"detail": "User is locked."}), health.KEY_REFUSED),
    "invalid key in the message": (answer(401, {"error": f"unknown key {KEY}"}), health.KEY_REFUSED),
    "bad gateway": (answer(502, HTML, content_type="text/html"), health.BUSY),
    "too many requests": (answer(429, {"error": "slow down"}), health.BUSY),
    "no response": (silence, health.UNREACHABLE),
}


@pytest.mark.parametrize("name", sorted(ADAPTERS))
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_probe_reports_each_fault_after_one_get_request(fault: str, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "SECONDS_MAX", 0.5)
    respond, code = FAULTS[fault]
    async with faulty(respond) as server:
        error = await probe_error(name, server.url)

    assert error.code == code, error.message
    assert "<html>" not in error.message
    assert [head.split()[0] for head in server.heads] == ["GET"], "one request, which cannot be an order"


async def test_pictorys_error_for_an_unknown_job_proves_the_key_with_any_status():
    body = {"success": False, "data": {"error_code": "5000", "error_message": "JOB_NOT_FOUND"}}
    for status in (200, 404, 500):
        async with faulty(answer(status, body)) as server:
            assert "accepts the key" in (await probe("pictory", server.url))[0]


def test_accounts_are_probed_concurrently_and_each_result_names_the_available_models(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "SECONDS_MAX", 0.5)
    with (
        serving(VllmOmni, ServerState("mine", root="/models/Wan2.2-I2V-A14B-Diffusers")) as with_offer,
        serving(SGLang, ServerState("somebody/other")) as without_offer,
        serving(SGLang, ServerState(I2V, key=KEY)) as locked,
        socket.create_server(("127.0.0.1", 0)) as silent,  # accepts connections and never responds
    ):
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        accounts = (
            Account(provider="vllm_omni", base_url=with_offer.url),
            Account(provider="sglang", base_url=without_offer.url),
            Account(provider="sglang", base_url=locked.url),
            *(Account(provider="fal", name=f"f{n}", api_key=KEY, base_url=url) for n in range(9)),
        )
        began = time.monotonic()
        results = doctor_probe.probe_accounts(Settings(accounts=accounts), catalogue.builtin())
        took = time.monotonic() - began

    assert [result.code for result in results] == ["ok", "not_offered", "key_refused", *["unreachable"] * 9]
    assert results[0].detail == "it serves mine, available as wan/2.2-i2v-a14b"
    assert results[1].detail == "it serves somebody/other, for which the catalogue has no offer"
    assert "set SGLANG_API_KEY" in results[2].hint
    assert took < 9 * 0.5
