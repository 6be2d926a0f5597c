"""A look at each service tells whether it answers and takes the key, and orders nothing."""

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
from support.served_gateway import ServedGate, served

pytestmark = pytest.mark.anyio
KEY, WRONG = "the-key-of-the-account", "another-key-than-that"
FACES = {
    "openrouter": "/api/v1",
    "modelgates": "/api/v1",
    "phaseo": "/phaseo/v1",
    "fal": "/fal",
    "pictory": "/pictory",
}
ENGINES = {"vllm_omni": VllmOmni, "sglang": SGLang}
I2V = "Wan-AI/Wan2.2-I2V-A14B-Diffusers"
HTML = "<!doctype html><html><body>Welcome</body></html>"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGate]:
    """The gate that stands for the services."""
    folder = tmp_path_factory.mktemp("upstream")
    with served(folder / "data", folder / "log", key=KEY, sandbox=True) as gate:
        yield gate


@contextmanager
def service(name: str, sandbox: ServedGate) -> Iterator[str]:
    """The base URL of one that asks for `KEY`."""
    if name in FACES:
        yield sandbox.url + FACES[name]
        return
    with serving(ENGINES[name], ServerState(I2V, key=KEY)) as engine:
        yield engine.url
        assert engine.jobs == {}


def jobs(sandbox: ServedGate) -> list[object]:
    with sandbox.client() as api:
        return api.get("/videos").json()["data"]


async def probed(name: str, url: str, key: str | None = KEY) -> tuple[str, Provider]:
    adapter = build_provider(Account(provider=name, api_key=key, base_url=url))
    try:
        return await adapter.probe(), adapter
    finally:
        await adapter.close()


async def refused(name: str, url: str, key: str | None = KEY) -> ProviderError:
    with pytest.raises(ProviderError) as told:
        await probed(name, url, key)
    assert KEY not in told.value.message
    assert WRONG not in told.value.message
    return told.value


@pytest.mark.parametrize("name", sorted(ADAPTERS))
async def test_a_probe_distinguishes_a_valid_key_from_an_invalid_one_and_places_no_order(name: str, sandbox: ServedGate):
    with service(name, sandbox) as url:
        found, _ = await probed(name, url)
        wrong = await refused(name, url, WRONG)

    assert f"serves {I2V}" in found if name in ENGINES else "accepts the key" in found
    assert (wrong.code, "the key was rejected" in wrong.message) == (health.KEY_REFUSED, True)
    assert jobs(sandbox) == []


@pytest.mark.parametrize("name", sorted(ENGINES))
async def test_a_probe_of_a_gpu_server_reports_the_served_model(name: str, sandbox: ServedGate):
    with serving(ENGINES[name], ServerState("mine", root="/models/Wan2.2-I2V-A14B-Diffusers")) as engine:
        found, adapter = await probed(name, engine.url, None)

    assert found == "it serves mine"
    assert adapter.served_models == {"mine", "/models/Wan2.2-I2V-A14B-Diffusers"}


@pytest.mark.parametrize("name", sorted(ADAPTERS))
async def test_a_probe_of_a_closed_port_reports_unreachable(name: str):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    told = await refused(name, f"http://127.0.0.1:{port}")

    assert (told.code, "cannot be reached" in told.message) == (health.UNREACHABLE, True)


@pytest.mark.parametrize("name", sorted(FACES))
async def test_a_probe_of_an_incomplete_base_url_reports_another_service(name: str, sandbox: ServedGate):
    told = await refused(name, sandbox.url + "/elsewhere")

    assert (told.code, "base URL" in told.message) == (health.STRANGE, True)


WRONGS: dict[str, tuple[Fault, str]] = {
    "a page": (answer(200, HTML, content_type="text/html"), health.STRANGE),
    "a page that is not found": (answer(404, HTML, content_type="text/html"), health.STRANGE),
    "a page that keeps out": (answer(403, HTML, content_type="text/html"), health.STRANGE),
    "another service": (answer(200, {"hello": "world"}), health.STRANGE),
    "a redirect": (answer(302, location="http://elsewhere.test/login"), health.STRANGE),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), health.STRANGE),
    "a cut": (cut, health.STRANGE),
    "a locked user": (answer(403, {"detail": "User is locked."}), health.KEY_REFUSED),
    "a wrong key that is repeated": (answer(401, {"error": f"unknown key {KEY}"}), health.KEY_REFUSED),
    "a gateway's error": (answer(502, HTML, content_type="text/html"), health.BUSY),
    "too many requests": (answer(429, {"error": "slow down"}), health.BUSY),
    "silence": (silence, health.UNREACHABLE),
}


@pytest.mark.parametrize("name", sorted(ADAPTERS))
@pytest.mark.parametrize("fault", WRONGS)
async def test_a_probe_reports_each_fault_after_one_get_request(fault: str, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "SECONDS_MAX", 0.5)
    act, code = WRONGS[fault]
    async with faulty(act) as there:
        told = await refused(name, there.url)

    assert told.code == code, told.message
    assert "<html>" not in told.message
    assert [head.split()[0] for head in there.heads] == ["GET"], "one look, which nobody can take for an order"


async def test_pictorys_error_for_an_unknown_job_proves_the_key_with_any_status():
    said = {"success": False, "data": {"error_code": "5000", "error_message": "JOB_NOT_FOUND"}}
    for status in (200, 404, 500):
        async with faulty(answer(status, said)) as there:
            assert "accepts the key" in (await probed("pictory", there.url))[0]


def test_accounts_are_probed_concurrently_and_each_result_names_the_available_models(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "SECONDS_MAX", 0.5)
    with (
        serving(VllmOmni, ServerState("mine", root="/models/Wan2.2-I2V-A14B-Diffusers")) as known,
        serving(SGLang, ServerState("somebody/other")) as strange,
        serving(SGLang, ServerState(I2V, key=KEY)) as locked,
        socket.create_server(("127.0.0.1", 0)) as silent,  # takes connections and says nothing
    ):
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        accounts = (
            Account(provider="vllm_omni", base_url=known.url),
            Account(provider="sglang", base_url=strange.url),
            Account(provider="sglang", base_url=locked.url),
            *(Account(provider="fal", name=f"f{n}", api_key=KEY, base_url=url) for n in range(9)),
        )
        began = time.monotonic()
        asked = doctor_probe.probe_accounts(Settings(accounts=accounts), catalogue.builtin())
        took = time.monotonic() - began

    assert [one.code for one in asked] == ["ok", "not_offered", "key_refused", *["unreachable"] * 9]
    assert asked[0].detail == "it serves mine, available as wan/2.2-i2v-a14b"
    assert asked[1].detail == "it serves somebody/other, for which the catalogue has no offer"
    assert "set SGLANG_API_KEY" in asked[2].hint
    assert took < 9 * 0.5
