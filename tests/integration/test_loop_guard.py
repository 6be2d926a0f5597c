"""A request that names this gateway in its path is refused in every API, before authentication and before a job."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from framegate.app.asgi import build_app
from framegate.config.settings import Settings
from framegate.domain.machine import Machine
from framegate.net import loops
from support.opened import app_of
from support.stub_renderer import StubExecutor

VIDEO = {"model": "framegate/animatic", "prompt": "pan left", "duration": 1}
CREATES = [
    ("/api/v1/videos", VIDEO, lambda body: body["error"]["metadata"]["error_type"] == "gateway_loop"),
    ("/phaseo/v1/videos", VIDEO, lambda body: body["reason"] == "gateway_loop"),
    ("/pictory/v1/aistudio/videos", {"prompt": "pan left"}, lambda body: body["code"] == "GATEWAY_LOOP"),
    ("/fal/queue/framegate/animatic", {"prompt": "pan left"}, lambda body: "itself" in body["detail"]),
    ("/fal/run/framegate/animatic", {"prompt": "pan left"}, lambda body: "itself" in body["detail"]),
]
OTHERS = ["0123456789abcdef", "fedcba9876543210"]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    machine = Machine()
    settings = Settings(data_dir=tmp_path_factory.mktemp("guard"), sandbox=True)
    with TestClient(
        build_app(settings, machine, executor=StubExecutor(machine)), base_url="http://127.0.0.1"
    ) as client:
        yield client


@pytest.fixture(scope="module")
def own_id(gateway: TestClient) -> str:
    return app_of(gateway).state.gateway.gateway_id


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(("path", "body", "is_shown"), CREATES)
def test_an_order_that_comes_back_is_refused_in_the_apis_own_format(
    gateway: TestClient, own_id: str, path: str, body: object, is_shown: Callable[[object], bool], place: int
):
    via = OTHERS.copy()
    via.insert(place, own_id)
    answer = gateway.post(path, json=body, headers={"Framegate-Via": ", ".join(via), "authorization": "Bearer wrong"})

    assert (answer.status_code, answer.headers["framegate-loop"]) == (421, own_id)
    assert is_shown(answer.json())
    assert gateway.get("/api/v1/videos").json()["data"] == []


def test_the_number_of_gateways_is_limited(gateway: TestClient):
    hops = [f"{number:016x}" for number in range(loops.HOPS_MAX + 1)]
    answers = [
        gateway.get("/api/v1/videos", headers={"Framegate-Via": ",".join(hops[:count])}).status_code
        for count in (loops.HOPS_MAX, loops.HOPS_MAX + 1)
    ]

    assert answers == [200, 421]


def test_the_path_of_a_create_is_kept_for_the_orders_of_its_job(gateway: TestClient, own_id: str):
    job = gateway.post("/api/v1/videos", json=VIDEO, headers={"Framegate-Via": ", ".join(OTHERS)}).json()
    assert gateway.portal is not None
    stored = gateway.portal.call(app_of(gateway).state.parts.store.get, job["id"])

    with loops.job_path(stored.via):
        assert loops.path_header(own_id) == ", ".join([*OTHERS, own_id])


@given(st.text(max_size=400))
def test_any_text_as_path_is_read_as_gateway_ids_or_ignored(text: str):
    ids = loops.parse_path(text)

    assert len(ids) <= loops.HOPS_MAX + 1
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in ids)


def test_an_id_reveals_nothing_of_the_secret_and_is_the_same_for_every_process_on_one_database(tmp_path: Path):
    assert loops.gateway_id(b"a" * 32) == loops.gateway_id(b"a" * 32) != loops.gateway_id(b"b" * 32)
