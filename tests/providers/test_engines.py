"""vLLM-Omni and SGLang: what their servers insist on, and a gate that orders from one."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from ordering import order
from PIL import Image
from servers import Engine, measured, serving
from servers import SGLang as SGLangServer
from servers import VllmOmni as VllmOmniServer

from framegate.errors import Refused
from framegate.providers import sglang, vllm_omni
from framegate.providers.engine import frames
from framegate.providers.letterbox import letterboxed
from framegate.providers.sglang import SGLang
from framegate.providers.vllm_omni import VllmOmni
from framegate.types import Done, Failed, Running, Update
from serving import ServedGate

WAN = "Wan-AI/Wan2.1-VACE-1.3B-diffusers"
TARGET = {"width": 832, "height": 480, "fps": 16, "duration": 1, "resolution": "480p"}
SECONDS_MAX = 60


@pytest.fixture
def vllm() -> Iterator[Engine]:
    with serving(VllmOmniServer, Engine(WAN)) as engine:
        yield engine


@pytest.fixture
def sgl() -> Iterator[Engine]:
    with serving(SGLangServer, Engine("Wan")) as engine:
        yield engine


async def looked(adapter: VllmOmni | SGLang, handle: Any) -> tuple[list[Update], Update]:
    """Every look that found no end, and the end."""
    waits: list[Update] = []
    for _ in range(10):
        update = await adapter.poll(handle)
        if not isinstance(update, Running):
            return waits, update
        waits.append(update)
    pytest.fail("it never ends")


@pytest.mark.anyio
async def test_references_of_any_shape_come_whole_to_vllm_omni(vllm: Engine, tmp_path: Path):
    adapter = VllmOmni("gpu", "", vllm.url + "/v1/")
    wide, tall = {"size": [400, 100]}, {"size": [60, 300]}
    handle = await adapter.submit(order(tmp_path, prompt="a cat", model_id=WAN, target=TARGET, references=[wide, tall]))
    first, second = vllm.jobs[handle["id"]].pictures
    assert first.getpixel((416, 5)) == (255, 255, 255)
    assert first.getpixel((416, 240)) == (200, 0, 90)
    assert second.getpixel((5, 240)) == (255, 255, 255)
    waits, end = await looked(adapter, handle)
    assert [wait.stage for wait in waits if isinstance(wait, Running)] == ["queued", "running"]
    assert isinstance(end, Done)
    await adapter.download(end.outputs[0], tmp_path / "out.mp4", bytes_max=10**8)
    assert measured(tmp_path / "out.mp4") == (832, 480, 17)
    assert end.cost_micro_usd == 0
    await adapter.close()


@pytest.mark.anyio
async def test_a_job_that_failed_on_the_gpu_is_no_failed_look(vllm: Engine, tmp_path: Path):
    vllm.fault = "CUDA out of memory"
    adapter = VllmOmni("gpu", "", vllm.url)
    _, end = await looked(adapter, await adapter.submit(order(tmp_path, prompt="a cat", model_id=WAN, target=TARGET)))
    assert isinstance(end, Failed)
    assert end.fault.message == "CUDA out of memory"
    await adapter.close()


@pytest.mark.anyio
async def test_another_model_than_the_served_one_is_refused(vllm: Engine, tmp_path: Path):
    adapter = VllmOmni("gpu", "", vllm.url)
    with pytest.raises(Refused, match="does not exist"):
        await adapter.submit(order(tmp_path, prompt="a cat", model_id="other", target=TARGET))
    await adapter.close()


@pytest.mark.anyio
async def test_an_order_that_was_taken_is_found_again(vllm: Engine, tmp_path: Path):
    adapter = VllmOmni("gpu", "", vllm.url)
    wanted = order(tmp_path, prompt="a cat", model_id=WAN, target=TARGET)
    assert await adapter.reconcile(wanted) is None
    handle = await adapter.submit(wanted)
    found = await adapter.reconcile(wanted)
    assert found is not None
    assert found["id"] == handle["id"]
    await adapter.close()


@pytest.mark.anyio
@pytest.mark.parametrize("model", ["Wan", "MiniMaxAI/MiniMax-H3"])
async def test_a_picture_comes_to_sglang(model: str, sgl: Engine, tmp_path: Path):
    adapter = SGLang("gpu", "", sgl.url)
    wanted = order(tmp_path, prompt="a cat", model_id=model, target=TARGET, references=[{"role": "first_frame"}])
    handle = await adapter.submit(wanted)
    assert [one.size for one in sgl.jobs[handle["id"]].pictures] == [(64, 48)]
    waits, end = await looked(adapter, handle)
    assert isinstance(end, Done)
    assert [wait.progress for wait in waits if isinstance(wait, Running)] == [0.0, 0.42]
    await adapter.download(end.outputs[0], tmp_path / "out.mp4", bytes_max=10**8)
    assert measured(tmp_path / "out.mp4")[1] == 480
    assert not await adapter.cancel(handle), "its DELETE only forgets"
    await adapter.close()


@pytest.mark.parametrize(("seconds", "fps", "made"), [(1, 16, 17), (5, 16, 81), (5, 24, 121), (3, 25, 77), (2, 15, 33)])
def test_frames_are_the_least_that_hold_the_clip(seconds: int, fps: int, made: int, tmp_path: Path):
    wanted = order(tmp_path, prompt="a", target={"duration": seconds, "fps": fps})
    assert frames(wanted) == made
    assert made >= seconds * fps
    assert made % 4 == 1


@pytest.mark.parametrize("size", [(400, 100), (100, 400), (832, 480), (3, 2), (1, 2000)])
def test_a_letterboxed_picture_has_exactly_the_size_of_the_video(size: tuple[int, int], tmp_path: Path):
    Image.new("RGBA", size, (255, 0, 0, 128)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(letterboxed(tmp_path / "a.png", 832, 480))
    with Image.open(tmp_path / "b.png") as made:
        assert (made.size, made.mode) == ((832, 480), "RGB")
        middle = made.getpixel((415, 239))
        assert isinstance(middle, tuple)
        assert middle[0] == 255
        assert 120 < middle[1] < 135


@pytest.mark.parametrize("role", ["first_frame", "last_frame", "mask", "source"])
@pytest.mark.parametrize("body", [vllm_omni.body, sglang.body])
def test_what_has_no_field_is_refused_and_not_left_out(body: Callable[..., Any], role: str, tmp_path: Path):
    if (body, role) == (sglang.body, "first_frame"):
        return  # this one it takes
    with pytest.raises(Refused):
        anyio.run(body, order(tmp_path, prompt="a", model_id="m", target=TARGET, references=[{"role": role}]))


# -- a gate with a server of its own


def until(api: httpx2.Client, job: dict[str, Any], *stages: str) -> dict[str, Any]:
    """The job once it is at one of the stages, or at its end."""
    end = time.monotonic() + SECONDS_MAX
    while job["status"] in ("pending", "in_progress") and job["stage"] not in stages and time.monotonic() < end:
        job = api.get(f"/videos/{job['id']}", params={"wait": 0 if stages else 20}).json()
    return job


@pytest.fixture
def gate(vllm: Engine, serve_gate: Callable[..., ServedGate]) -> ServedGate:
    return serve_gate(accounts=[{"provider": "vllm_omni", "base_url": vllm.url}])


def created(api: httpx2.Client, photo: Path) -> dict[str, Any]:
    headers = {"content-type": "application/octet-stream"}
    url = api.post("/assets", content=photo.read_bytes(), headers=headers).json()["url"]
    reference = {"type": "image_url", "image_url": {"url": url}}
    wanted = {"model": "wan/vace-1.3b", "prompt": "it turns", "duration": 1, "input_references": [reference]}
    answer = api.post("/videos", json=wanted)
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_a_gate_makes_a_video_on_a_gpu_of_ones_own(gate: ServedGate, photos: tuple[Path, ...], tmp_path: Path):
    with gate.client() as api:
        job = until(api, created(api, photos[0]))
        assert job["status"] == "completed", job
        (tmp_path / "out.mp4").write_bytes(api.get(f"/videos/{job['id']}/content").content)
    assert measured(tmp_path / "out.mp4") == (832, 480, 17)
    assert job["usage"]["cost"] == 0


def test_a_cancelled_job_is_aborted_on_the_gpu(gate: ServedGate, vllm: Engine, photos: tuple[Path, ...]):
    vllm.never = True
    with gate.client() as api:
        job = until(api, created(api, photos[0]), "running", "queued at the provider")
        job = api.post(f"/videos/{job['id']}/cancel").json()
        job = until(api, job)
    assert job["status"] == "cancelled"
    assert vllm.deleted == ["video_gen_0"]
    assert "charge" not in job["error"]
