"""vLLM-Omni and SGLang: the rules that their servers enforce."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from framegate import catalogue
from framegate.catalogue import Model, Offer
from framegate.catalogue.dimensions import every_size, pixels
from framegate.domain import Done, Failed, Lost, Order, Running, Update
from framegate.domain.errors import NotSent, ProviderError, Refused
from framegate.media import letterbox
from framegate.providers.gpu.base import GpuServer as Adapter
from framegate.providers.gpu.families import FAMILIES, H3, family_of
from framegate.providers.gpu.sglang import SGLang
from framegate.providers.gpu.vllm_omni import FIELD_BYTES_MAX as SENT_BYTES_MAX
from framegate.providers.gpu.vllm_omni import VllmOmni
from support.forms import FIELD_BYTES_MAX
from support.gpu_servers import ServerState, serving
from support.gpu_servers import SGLang as SGLangServer
from support.gpu_servers import VllmOmni as VllmOmniServer
from support.ordering import make_order
from support.showing import measured

VACE = "Wan-AI/Wan2.1-VACE-1.3B-diffusers"
I2V = "Wan-AI/Wan2.2-I2V-A14B-Diffusers"
TI2V = "Wan-AI/Wan2.2-TI2V-5B-Diffusers"
H3_ID = "MiniMaxAI/MiniMax-H3"
LTX = "Lightricks/LTX-2"
TARGET = {"width": 832, "height": 480, "fps": 16, "duration": 1, "resolution": "480p"}
CANVAS = {"width": 1344, "height": 768, "fps": 24, "duration": 5, "resolution": "768p"}
KINDS = {"vllm_omni": (VllmOmni, VllmOmniServer), "sglang": (SGLang, SGLangServer)}
OFFERS = [(model, offer) for model in catalogue.builtin() for offer in model.offers if offer.provider in KINDS]
WHITE = (255, 255, 255)


@pytest.fixture
def vllm_omni() -> Iterator[ServerState]:
    with serving(VllmOmniServer, ServerState(VACE)) as server:
        yield server


@pytest.fixture
def sglang() -> Iterator[ServerState]:
    with serving(SGLangServer, ServerState(I2V)) as server:
        yield server


async def poll_to_end(adapter: Adapter, handle: Any) -> tuple[list[Update], Update]:
    """The updates before the end, and the end."""
    waits: list[Update] = []
    for _ in range(10):
        update = await adapter.poll(handle)
        if not isinstance(update, Running):
            return waits, update
        waits.append(update)
    pytest.fail("the job does not end")


async def render(adapter: Adapter, order: Order, into: Path) -> tuple[int, int, int]:
    """Submit, poll and download: width, height and number of frames of the file."""
    _, end = await poll_to_end(adapter, await adapter.submit(order))
    assert isinstance(end, Done), end
    await adapter.download(end.outputs[0], into, bytes_max=10**8)
    return measured(into)


def with_photos(order: Order, photos: list[Path]) -> Order:
    """The order with other pictures."""
    pairs = zip(order.references, photos, strict=True)
    return replace(order, references=tuple(replace(prepared, path=str(photo)) for prepared, photo in pairs))


def color_at(picture: Image.Image, x: int, y: int) -> tuple[int, ...]:
    """The color of a pixel of an RGB picture."""
    color = picture.getpixel((x, y))
    assert isinstance(color, tuple)
    return color


def is_close(first: tuple[int, ...], second: tuple[int, ...], *, by: int) -> bool:
    """Whether no channel differs by more."""
    return max(abs(a - b) for a, b in zip(first, second, strict=True)) <= by


def noisy_picture(folder: Path, number: int) -> Path:
    """A picture that cannot be compressed well."""
    path = folder / f"noise-{number}.png"
    grain = np.random.default_rng(number).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    Image.fromarray(grain).save(path)
    return path


# -- vLLM-Omni


@pytest.mark.anyio
async def test_vllm_omni_receives_references_of_any_shape_uncropped(vllm_omni: ServerState, tmp_path: Path):
    adapter = VllmOmni("gpu", "", vllm_omni.url + "/v1/")
    wide, tall = {"size": [400, 100]}, {"size": [60, 300]}
    order = make_order(tmp_path, prompt="a cat", model_id=VACE, target=TARGET, references=[wide, tall])
    handle = await adapter.submit(order)
    first, second = vllm_omni.jobs[handle["id"]].pictures
    assert is_close(color_at(first, 416, 5), WHITE, by=5)
    assert is_close(color_at(first, 416, 240), (200, 0, 90), by=5)
    assert is_close(color_at(second, 5, 240), WHITE, by=5)
    waits, end = await poll_to_end(adapter, handle)
    assert [wait.stage for wait in waits if isinstance(wait, Running)] == ["queued", "running"]
    assert isinstance(end, Done)
    await adapter.download(end.outputs[0], tmp_path / "out.mp4", bytes_max=10**8)
    assert measured(tmp_path / "out.mp4") == (832, 480, 17)
    assert end.cost_micro_usd == 0
    await adapter.close()


@pytest.mark.anyio
@pytest.mark.parametrize("count", [1, 2, 4])
async def test_real_photos_at_720p_fit_into_the_form_of_vllm_omni(
    count: int, vllm_omni: ServerState, photos: tuple[Path, ...], tmp_path: Path
):
    adapter = VllmOmni("gpu", "", vllm_omni.url)
    target = {**TARGET, "width": 1280, "height": 720}
    order = make_order(tmp_path, prompt="a cat", model_id=VACE, target=target, references=[{}] * count)
    handle = await adapter.submit(with_photos(order, list(photos)[:count]))
    assert [picture.size for picture in vllm_omni.jobs[handle["id"]].pictures] == [(1280, 720)] * count
    assert any("JPEG of quality" in note for note in handle["notes"]) == (count > 1)
    await adapter.close()


@pytest.mark.anyio
async def test_pictures_too_large_at_every_quality_are_rejected_with_the_pointer_of_the_largest(
    vllm_omni: ServerState, tmp_path: Path
):
    adapter = VllmOmni("gpu", "", vllm_omni.url)
    target = {**TARGET, "width": 1280, "height": 720}
    rows = [{"pointer": f"/input_references/{number}", "size": [1280, 720]} for number in range(3)]
    order = make_order(tmp_path, prompt="a cat", model_id=VACE, target=target, references=rows)
    loud = with_photos(order, [Path(order.references[0].path), noisy_picture(tmp_path, 1), noisy_picture(tmp_path, 2)])
    with pytest.raises(Refused, match=r"/input_references/[12]: as JPEG of quality 50"):
        await adapter.submit(loud)
    assert not vllm_omni.jobs
    assert SENT_BYTES_MAX < FIELD_BYTES_MAX * 0.9
    await adapter.close()


@pytest.mark.anyio
async def test_one_picture_is_sent_losslessly(vllm_omni: ServerState, tmp_path: Path):
    adapter = VllmOmni("gpu", "", vllm_omni.url)
    target = {**TARGET, "width": 1280, "height": 720}
    order = make_order(tmp_path, prompt="a cat", model_id=VACE, target=target, references=[{}])
    grain = noisy_picture(tmp_path, 1)
    handle = await adapter.submit(with_photos(order, [grain]))
    [came] = vllm_omni.jobs[handle["id"]].pictures
    with Image.open(grain) as sent:
        assert np.array_equal(np.asarray(came), np.asarray(sent))
    await adapter.close()


@pytest.mark.anyio
@pytest.mark.parametrize("model", [I2V, TI2V, LTX, "hunyuanvideo-community/HunyuanVideo-1.5-Diffusers-480p_i2v"])
async def test_a_first_frame_becomes_a_video_of_the_requested_size_at_vllm_omni(model: str, tmp_path: Path):
    target = {"width": 1280, "height": 704, "fps": 24, "duration": 1, "seed": 1}
    order = make_order(tmp_path, model_id=model, prompt="a", target=target, references=[{"role": "first_frame"}])
    with serving(VllmOmniServer, ServerState(model)) as server:
        adapter = VllmOmni("gpu", "", server.url)
        assert await render(adapter, order, tmp_path / "out.mp4") == (1280, 704, 25)
        await adapter.close()


@pytest.mark.anyio
async def test_a_job_that_failed_on_the_gpu_is_not_a_failed_poll(vllm_omni: ServerState, tmp_path: Path):
    vllm_omni.fault = "CUDA out of memory"
    adapter = VllmOmni("gpu", "", vllm_omni.url)
    _, end = await poll_to_end(
        adapter, await adapter.submit(make_order(tmp_path, prompt="a cat", model_id=VACE, target=TARGET))
    )
    assert isinstance(end, Failed)
    assert end.fault.message == "CUDA out of memory"
    await adapter.close()


@pytest.mark.anyio
async def test_an_order_for_a_model_that_is_not_served_is_rejected(vllm_omni: ServerState, tmp_path: Path):
    adapter = VllmOmni("gpu", "", vllm_omni.url)
    with pytest.raises(Refused, match=r"serves .*1\.3B.*, not .*14B"):
        await adapter.submit(make_order(tmp_path, prompt="a cat", model_id=VACE.replace("1.3B", "14B"), target=TARGET))
    await adapter.close()


@pytest.mark.anyio
async def test_reconcile_finds_an_accepted_order(vllm_omni: ServerState, tmp_path: Path):
    adapter = VllmOmni("gpu", "", vllm_omni.url)
    order = make_order(tmp_path, prompt="a cat", model_id=VACE, target=TARGET)
    assert await adapter.reconcile(order) is None
    handle = await adapter.submit(order)
    reconciled = await adapter.reconcile(order)
    assert reconciled is not None
    assert reconciled["id"] == handle["id"]
    await adapter.close()


# -- SGLang


@pytest.mark.anyio
@pytest.mark.parametrize("size", [(832, 480), (480, 832), (624, 624), (1280, 720), (960, 960)])
async def test_the_clip_has_the_requested_size_whatever_the_shape_of_the_picture(
    size: tuple[int, int], sglang: ServerState, photos: tuple[Path, ...], tmp_path: Path
):
    adapter = SGLang("gpu", "", sglang.url)
    target = {**TARGET, "width": size[0], "height": size[1]}
    order = make_order(tmp_path, prompt="a", model_id=I2V, target=target, references=[{"role": "first_frame"}])
    assert await render(adapter, with_photos(order, [photos[0]]), tmp_path / "out.mp4") == (*size, 17)
    await adapter.close()


@pytest.mark.anyio
@pytest.mark.parametrize("size", [(1280, 704), (704, 1280)])
async def test_ti2v_makes_the_sizes_of_the_catalogue(size: tuple[int, int], tmp_path: Path):
    target = {"width": size[0], "height": size[1], "fps": 24, "duration": 1}
    order = make_order(tmp_path, prompt="a", model_id=TI2V, target=target, references=[{"role": "first_frame"}])
    with serving(SGLangServer, ServerState(TI2V)) as server:
        adapter = SGLang("gpu", "", server.url)
        assert await render(adapter, order, tmp_path / "out.mp4") == (*size, 25)
        await adapter.close()


@pytest.mark.anyio
async def test_sglang_reports_progress_and_cannot_cancel(sglang: ServerState, tmp_path: Path):
    adapter = SGLang("gpu", "", sglang.url)
    order = make_order(tmp_path, prompt="a", model_id=I2V, target=TARGET, references=[{"role": "first_frame"}])
    handle = await adapter.submit(order)
    waits, _ = await poll_to_end(adapter, handle)
    assert [wait.progress for wait in waits if isinstance(wait, Running)] == [0.0, 0.42]
    assert not await adapter.cancel(handle), "its DELETE only forgets"
    await adapter.close()


# -- both


@pytest.mark.anyio
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("references", "task", "kinds"),
    [
        ([], "t2va", []),
        ([{"role": "last_frame"}, {"role": "first_frame"}], "fl2va", ["image", "image"]),
        ([{"role": "last_frame"}], "fl2va", ["image"]),
        ([{"size": [300, 400]}], "ref2va", ["image"]),
        ([{"size": [300, 400]}, {"kind": "video"}, {"kind": "audio"}], "ref2va", ["image", "video", "audio"]),
    ],
)
async def test_h3_orders_have_the_format_of_each_server(
    name: str, references: list[dict[str, Any]], task: str, kinds: list[str], tmp_path: Path
):
    adapter_of, fake_server = KINDS[name]
    order = make_order(tmp_path, prompt="a", model_id=H3_ID, target={**CANVAS, "duration": 15}, references=references)
    with serving(fake_server, ServerState(H3_ID, polls_to_end=1)) as server:
        adapter = adapter_of("gpu", "", server.url)
        handle = await adapter.submit(order)
        job = server.jobs[handle["id"]]
        assert (job.task, job.kinds, job.fault) == (task, kinds, None)
        assert (job.width, job.height, job.frames) == (1344, 768, 362)
        await adapter.close()


@pytest.mark.anyio
@pytest.mark.parametrize("name", KINDS)
async def test_an_order_without_a_seed_gets_a_random_one_and_a_note(name: str, tmp_path: Path):
    adapter_of, fake_server = KINDS[name]
    with serving(fake_server, ServerState(TI2V)) as server:
        adapter = adapter_of("gpu", "", server.url)
        target = {"width": 1280, "height": 704, "duration": 1}
        keys = ["one", "one", "two"]
        orders = [make_order(tmp_path, prompt="a", model_id=TI2V, key=key, target=target) for key in keys]
        handles = [await adapter.submit(order) for order in orders]
        seeds = [server.jobs[handle["id"]].seed for handle in handles]
        assert seeds[0] == seeds[1] != seeds[2]
        assert any(str(seeds[0]) in note for note in handles[0]["notes"])
        await adapter.close()


@pytest.mark.anyio
@pytest.mark.parametrize("name", KINDS)
async def test_orders_contain_the_served_model_name(name: str, tmp_path: Path):
    adapter_of, fake_server = KINDS[name]
    with serving(fake_server, ServerState("mine", root="/weights/Wan2.2-TI2V-5B-Diffusers")) as server:
        adapter = adapter_of("gpu", "", server.url)
        names = await adapter.names()
        assert names == ("mine", "/weights/Wan2.2-TI2V-5B-Diffusers")
        adapter.served_name, adapter.served_models = "mine", frozenset({*names, TI2V})
        target = {"width": 1280, "height": 704, "duration": 1}
        handle = await adapter.submit(make_order(tmp_path, prompt="a", model_id=TI2V, target=target))
        assert handle["id"] in server.jobs
        with pytest.raises(Refused, match="server serves mine, not"):
            await adapter.submit(make_order(tmp_path, prompt="a", model_id=LTX, target=target))
        await adapter.close()


@pytest.mark.anyio
@pytest.mark.parametrize("name", KINDS)
async def test_a_restart_loses_jobs_and_an_unreachable_server_receives_no_order(name: str, tmp_path: Path):
    adapter_of, fake_server = KINDS[name]
    order = make_order(tmp_path, prompt="a", model_id=TI2V, target={"width": 1280, "height": 704})
    with serving(fake_server, ServerState(TI2V)) as server:
        adapter = adapter_of("gpu", "", server.url)
        handle = await adapter.submit(order)
        server.forget()
        assert await adapter.poll(handle) == Lost()
        await adapter.close()
    adapter = adapter_of("gpu", "", server.url)
    with pytest.raises(NotSent):
        await adapter.submit(order)
    with pytest.raises(ProviderError):
        await adapter.names()
    await adapter.close()


@pytest.mark.anyio
@pytest.mark.parametrize("role", ["first_frame", "last_frame", "reference", "mask", "source"])
@pytest.mark.parametrize("model", [VACE, I2V, LTX])
@pytest.mark.parametrize("name", KINDS)
async def test_an_unsupported_role_is_rejected_and_not_ignored(name: str, model: str, role: str, tmp_path: Path):
    if (role == "first_frame" and model != VACE) or (name, model, role) == ("vllm_omni", VACE, "reference"):
        return  # these have one
    adapter = KINDS[name][0]("gpu", "", "http://127.0.0.1:9")
    with pytest.raises(Refused):
        await adapter.submit(
            make_order(tmp_path, prompt="a", model_id=model, target=TARGET, references=[{"role": role}])
        )
    await adapter.close()


@pytest.mark.parametrize("model_and_offer", OFFERS, ids=lambda both: f"{both[1].provider}:{both[1].id}")
def test_every_size_and_role_of_the_catalogue_is_supported_by_the_model_family(model_and_offer: tuple[Model, Offer]):
    offer = model_and_offer[1]
    family = family_of(offer.id)
    assert family is not None
    for size, _, _ in every_size(offer.limits):
        assert not any(side % family.side_multiple for side in pixels(size) or ()), size
    assert set(offer.limits.references) <= family.roles
    for counts in offer.limits.references.values():
        assert family is H3 or counts[next(iter(counts))].min == family.pictures_min


@pytest.mark.parametrize(
    ("model", "seconds", "fps", "frames"),
    [
        (VACE, 1, 16, 17),
        (VACE, 5, 16, 81),
        (TI2V, 5, 24, 121),
        (LTX, 5, 24, 121),
        (LTX, 3, 24, 73),
        (LTX, 1, 20, 25),
        (H3_ID, 4, 24, 107),
        (H3_ID, 5, 24, 124),
        (H3_ID, 10, 24, 243),
        (H3_ID, 15, 24, 362),
    ],
)
def test_the_frame_count_is_the_smallest_that_covers_the_clip(model: str, seconds: int, fps: int, frames: int):
    family = family_of(model)
    assert family is not None
    assert family.frames(seconds * fps) == frames


@pytest.mark.parametrize(
    ("model_id", "expected"),
    [
        ("MiniMax/MiniMax-H3", "MiniMax H3"),
        ("FastVideo/FastVideo-FastH3-8-Step-V2", "MiniMax H3"),
        ("FastVideo/FastVideo-FastH3-Omni-8-Step-V1", "MiniMax H3"),
        ("OpenVDN/vdn-minimax-h3", "MiniMax H3"),
        ("Wan-AI/Wan2.1-I2V-14B-480P-Diffusers", "Wan I2V"),
        ("Wan-AI/Wan2.2-TI2V-5B-Diffusers", "Wan TI2V"),
        ("Lightricks/LTX-2.3", "LTX-2"),
        ("Wan-AI/Wan2.1-T2V-14B-Diffusers", None),
        ("somebody/h3o", None),
    ],
)
def test_a_family_is_recognised_by_the_model_id(model_id: str, expected: str | None):
    assert (family.name if (family := family_of(model_id)) else None) == expected
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


# -- pictures in the shape of the video


@pytest.mark.parametrize("size", [(400, 100), (100, 400), (832, 480), (3, 2), (1, 2000)])
def test_a_letterboxed_picture_has_exactly_the_size_of_the_video(size: tuple[int, int], tmp_path: Path):
    Image.new("RGBA", size, (255, 0, 0, 128)).save(tmp_path / "a.png")
    for brought in (letterbox.fit_on_white, letterbox.fit_frame):
        picture, change = brought(tmp_path / "a.png", (832, 480))
        assert (picture.size, picture.mode) == ((832, 480), "RGB")
        assert is_close(color_at(picture, 415, 239), (255, 127, 127), by=7)
        assert (change is None) == (size == (832, 480))


def test_bars_have_the_color_of_the_adjacent_edges(tmp_path: Path):
    tall = Image.new("RGB", (100, 300), (10, 200, 30))
    tall.paste((255, 0, 0), (0, 0, 100, 10))
    tall.save(tmp_path / "a.png")
    picture, change = letterbox.fit_frame(tmp_path / "a.png", (832, 480))
    assert color_at(picture, 0, 479) == color_at(picture, 831, 0)
    assert is_close(color_at(picture, 0, 479), (18, 193, 29), by=2)
    assert change == "padded with its edge color to 832x480"


@pytest.mark.parametrize(("size", "barred"), [((1920, 1080), False), ((832, 480), False), ((4, 3), True)])
def test_a_picture_of_nearly_the_same_aspect_ratio_gets_no_bars(size: tuple[int, int], barred: bool, tmp_path: Path):
    Image.new("RGB", size, (9, 9, 9)).save(tmp_path / "a.png")
    change = letterbox.fit_frame(tmp_path / "a.png", (832, 480))[1] or ""
    assert ("padded" in change) == barred
    assert ("stretched by 2.6%" in change) == (size == (1920, 1080))
