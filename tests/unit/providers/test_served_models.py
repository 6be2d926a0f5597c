"""Each GPU server receives orders for the model that it serves, and no others."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from framegate import catalogue
from framegate.domain import Done, Reference, Request, Role
from framegate.domain.errors import NotSent, ProviderError, Refused
from framegate.domain.machine import Machine
from framegate.jobs.background.catalogue_refresh import CatalogueRefresher
from framegate.jobs.background.server_discovery import PERIOD_SECONDS, ServerDiscovery
from framegate.jobs.routing import Router
from framegate.providers.gpu import sglang, vllm_omni
from framegate.providers.gpu.base import GpuServer, match_served_models, public_name
from framegate.providers.gpu.base import GpuServer as Adapter
from framegate.providers.registry import ProviderRegistry
from support.gpu_servers import ServerState, SGLang, VllmOmni, serving
from support.ordering import make_order

pytestmark = pytest.mark.anyio
I2V, TI2V = "Wan-AI/Wan2.2-I2V-A14B-Diffusers", "Wan-AI/Wan2.2-TI2V-5B-Diffusers"
AWAY = "http://127.0.0.1:9"


class SteppedClock(Machine):
    """A clock whose waits end when the test sets `go`."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.go = asyncio.Event()

    def now(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await self.go.wait()
        self.go.clear()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@asynccontextmanager
async def routing(*accounts: Adapter) -> AsyncIterator[tuple[Router, ServerDiscovery]]:
    offers = ProviderRegistry(accounts)
    router = Router(catalogue.builtin(), offers)
    try:
        yield router, ServerDiscovery(offers, router.catalogue, clock=SteppedClock())
    finally:
        for account in accounts:
            await account.close()


def request_for(model: str) -> Request:
    frame = Reference(url="https://pictures.test/a.png", role=Role.FIRST_FRAME)
    return Request(model=model, prompt="it turns", references=(frame,))


def accounts_for(router: Router, model: str) -> list[str]:
    """The accounts that accept an order for a model; none if validation reports it as unavailable."""
    verdict = router.candidates(request_for(model)).select()[0]
    if not verdict.ok:
        assert [problem.code for problem in verdict.problems] == ["model_unavailable"]
        return []
    return [route.provider.account for route in router.candidates(request_for(model))]


async def test_two_servers_with_different_models_each_receive_their_own_orders(stack: ExitStack):
    first = stack.enter_context(serving(VllmOmni, ServerState(I2V)))
    second = stack.enter_context(serving(VllmOmni, ServerState("mine", root=f"/weights/{TI2V.rpartition('/')[2]}/")))
    third = stack.enter_context(serving(SGLang, ServerState(TI2V)))
    adapters = [
        vllm_omni.VllmOmni("one", "", first.url),
        vllm_omni.VllmOmni("two", "", second.url),
        sglang.SGLang("three", "", third.url),
    ]
    async with routing(*adapters) as (router, discovery):
        assert accounts_for(router, "wan/2.2-i2v-a14b") == [], "no server was asked yet"
        await discovery.refresh()
        assert accounts_for(router, "wan/2.2-i2v-a14b") == ["one"]
        assert accounts_for(router, "wan/2.2-ti2v-5b") == ["two", "three"]
        assert accounts_for(router, "lightricks/ltx-2") == []
        assert [adapter.served_name for adapter in adapters] == [I2V, "mine", TI2V]


async def test_an_unreachable_server_keeps_its_last_answer_and_one_that_never_answered_gets_no_orders(stack: ExitStack):
    server = stack.enter_context(serving(VllmOmni, ServerState(I2V)))
    adapter, away = vllm_omni.VllmOmni("one", "", server.url), sglang.SGLang("away", "", AWAY)
    async with routing(adapter, away) as (router, discovery):
        await discovery.refresh()
        assert accounts_for(router, "wan/2.2-i2v-a14b") == ["one"]
        server.model = server.root = ""  # as while it starts
        await discovery.refresh()
        assert accounts_for(router, "wan/2.2-i2v-a14b") == ["one"]
        server.model = server.root = TI2V
        await discovery.refresh()
        assert accounts_for(router, "wan/2.2-i2v-a14b") == []
        assert accounts_for(router, "wan/2.2-ti2v-5b") == ["one"]


async def test_servers_are_asked_at_the_start_and_then_every_minute(stack: ExitStack, tmp_path: Path):
    server = stack.enter_context(serving(VllmOmni, ServerState(I2V)))
    adapter, clock = vllm_omni.VllmOmni("one", "", server.url), SteppedClock()
    offers = ProviderRegistry([adapter])
    router = Router(catalogue.builtin(), offers)
    table = router.catalogue
    refresher = CatalogueRefresher(router, offers, tmp_path, machine=clock)
    await refresher.start()
    assert accounts_for(router, "wan/2.2-ti2v-5b") == []
    server.model = server.root = TI2V
    clock.go.set()
    async with asyncio.timeout(10):
        while adapter.served_name != TI2V:
            await asyncio.sleep(0)
    assert accounts_for(router, "wan/2.2-ti2v-5b") == ["one"]
    assert set(clock.waits) == {PERIOD_SECONDS}
    assert router.catalogue is table, "what a server serves does not change the catalogue"
    await refresher.stop()
    await adapter.close()


@pytest.mark.parametrize("kind", ["vllm_omni", "sglang"])
async def test_a_server_whose_model_has_changed_since_discovery_makes_no_video_with_it(
    kind: str, stack: ExitStack, tmp_path: Path
):
    adapter_of, fake_server = {
        "vllm_omni": (vllm_omni.VllmOmni, VllmOmni),
        "sglang": (sglang.SGLang, SGLang),
    }[kind]
    server = stack.enter_context(serving(fake_server, ServerState(TI2V)))
    adapter = adapter_of("gpu", "", server.url)
    order = make_order(tmp_path, prompt="a", model_id=TI2V, target={"width": 1280, "height": 704, "duration": 1})
    async with routing(adapter) as (_, discovery):
        await discovery.refresh()
        assert (await adapter.submit(order))["id"] in server.jobs
        server.model = server.root = I2V
        with pytest.raises(Refused, match=I2V):
            await adapter.submit(order)
    assert len(server.jobs) == 1


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([I2V], {I2V}),
        (["mine", "/weights/wan2.2-i2v-a14b-diffusers"], {I2V}),
        (["/root/.cache/hub/models--Wan-AI--Wan2.2-TI2V-5B-Diffusers/snapshots/0123"], {TI2V}),
        (["C:\\weights\\Wan2.2-I2V-A14B-Diffusers\\"], {I2V}),
        (["/weights/Wan2.2-I2V-A14B-Diffusers/tuned"], set()),
        (["somebody/other"], set()),
    ],
)
async def test_a_model_is_recognised_by_its_id_or_by_the_folder_of_its_weights(names: list[str], expected: set[str]):
    assert match_served_models(names, [I2V, TI2V]) == {*names, *expected}


class Patchy:
    """Answers of a server by path: a model's name, a folder, or an error status."""

    def __init__(self, **answers: object) -> None:
        self.answers = {path.replace("_", "/", 1) if path.startswith("v1") else path: answers[path] for path in answers}

    def apply(self, adapter: GpuServer, monkeypatch: pytest.MonkeyPatch) -> None:
        async def get(path: str) -> dict[str, Any]:
            answer = self.answers.get(path)
            if not isinstance(answer, dict):
                raise ProviderError(f"it returned {answer or 404}.")
            return answer

        monkeypatch.setattr(adapter, "_get", get)


SOURCES: dict[str, Patchy] = {
    "its list": Patchy(v1_models={"data": [{"id": TI2V}]}),
    "its list and the folder of its weights": Patchy(
        v1_models={"data": [{"id": "mine"}]}, model_info={"model_path": f"/weights/{TI2V.rpartition('/')[2]}"}
    ),
    "model_info, as its list fails": Patchy(v1_models=500, model_info={"model_path": TI2V}),
    "server_info, as all else fails": Patchy(v1_models=500, model_info=404, server_info={"model_path": TI2V}),
    "the arguments in server_info": Patchy(v1_models=500, server_info={"server_args": {"model_path": TI2V}}),
}


@pytest.mark.parametrize("adapter_of", [vllm_omni.VllmOmni, sglang.SGLang])
@pytest.mark.parametrize("source", SOURCES)
async def test_the_served_model_is_known_from_any_part_of_the_server(
    source: str, adapter_of: type[GpuServer], monkeypatch: pytest.MonkeyPatch
):
    adapter = adapter_of("gpu", "", AWAY)
    SOURCES[source].apply(adapter, monkeypatch)
    if source == "its list and the folder of its weights" and adapter_of is vllm_omni.VllmOmni:
        assert await adapter.names() == ("mine",)
    else:
        assert TI2V in match_served_models(await adapter.names(), [TI2V, I2V])
        assert I2V not in match_served_models(await adapter.names(), [TI2V, I2V])
    await adapter.close()


@pytest.mark.parametrize("adapter_of", [vllm_omni.VllmOmni, sglang.SGLang])
@pytest.mark.parametrize(
    "answers",
    [{"v1_models": 500}, {"v1_models": {"data": []}, "model_info": {"x": 1}}, {"model_info": {"model_path": 7}}],
)
async def test_a_server_that_does_not_say_what_it_serves_gets_no_order(
    adapter_of: type[GpuServer], answers: dict[str, object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    adapter = adapter_of("gpu", "", AWAY)
    Patchy(**answers).apply(adapter, monkeypatch)
    order = make_order(tmp_path, prompt="a", model_id=TI2V, target={"width": 1280, "height": 704, "duration": 1})
    with pytest.raises(NotSent, match="unknown which model"):
        await adapter.submit(order)
    await adapter.close()

    assert ProviderRegistry([adapter]).for_offer(adapter.name, TI2V) == ()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (TI2V, TI2V), ("mine", "mine"), ("/weights/Wan2.2", "Wan2.2"), ("C:\\w\\Wan2.2\\", "Wan2.2"), ("./w/x", "x"),
        ("/root/.cache/hub/models--Wan-AI--Wan2.2/snapshots/01", "01"),
    ],
)  # fmt: skip
def test_the_name_that_clients_see_has_no_folder_of_the_operators_machine(name: str, shown: str):
    assert public_name(name) == shown


async def test_the_metadata_of_a_video_names_the_model_that_was_served(stack: ExitStack, tmp_path: Path):
    server = stack.enter_context(serving(VllmOmni, ServerState("mine", root=f"/weights/{TI2V.rpartition('/')[2]}")))
    adapter = vllm_omni.VllmOmni("gpu", "", server.url)
    order = make_order(tmp_path, prompt="a", model_id=TI2V, target={"width": 1280, "height": 704, "duration": 1})
    handle, update = await adapter.submit(order), None
    for _ in range(server.polls_to_end + 1):
        update = await adapter.poll(handle)
    await adapter.close()

    assert isinstance(update, Done)
    assert update.metadata["served_model"] == "mine"
