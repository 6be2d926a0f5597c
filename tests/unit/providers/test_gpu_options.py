"""Options that a GPU server does not know are reported before the order, since the server would ignore them."""

import pytest

from framegate.domain import Request, Target
from framegate.providers.gpu.base import OPTIONS_SHOWN, GpuServer
from framegate.providers.gpu.sglang import SGLang
from framegate.providers.gpu.vllm_omni import VllmOmni

TARGET = Target(width=1280, height=720, fps=16, duration=5, audio=False, seed=None)
SERVERS: list[type[GpuServer]] = [VllmOmni, SGLang]


def warnings(server_class: type[GpuServer], **options: object) -> list[tuple[str, str, object]]:
    server = server_class("gpu")
    request = Request(model="wan/2.2-ti2v-5b", prompt="a", options={server.name: options, "fal": {"nonsense": 1}})
    preflight = server.preflight(request, TARGET)
    assert preflight is None or not preflight.problems
    return [(one.code, one.pointer, one.nearest) for one in (preflight.warnings if preflight else ())]


@pytest.mark.parametrize("server", SERVERS)
def test_options_that_the_server_knows_get_no_warning(server: type[GpuServer]):
    assert warnings(server, num_inference_steps=20, guidance_scale=5, flow_shift=3, extra_params={}) == []
    assert warnings(server) == []


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    ("name", "nearest"),
    [("num_inferense_steps", "num_inference_steps"), ("guidanceScale", "guidance_scale"), ("zzz", None)],
)
def test_a_misspelt_option_is_named_with_the_most_similar_one(server: type[GpuServer], name: str, nearest: str | None):
    pointer = f"/provider/options/{server.name}/{name}"

    assert warnings(server, **{name: 1, "seed_": 2} if nearest is None else {name: 1})[0] == (
        "option_unknown", pointer, nearest
    )  # fmt: skip


@pytest.mark.parametrize("server", SERVERS)
def test_the_number_and_the_length_of_warnings_are_bounded(server: type[GpuServer]):
    found = warnings(server, **{f"{number}{'x' * 5000}": 1 for number in range(500)})

    assert len(found) == OPTIONS_SHOWN
    assert all(len(pointer) < 200 for _, pointer, _ in found)
