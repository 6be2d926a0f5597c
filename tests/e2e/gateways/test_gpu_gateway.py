"""A gateway that orders from GPU servers: from photos to the decoded file."""

import io
import time
import wave
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import httpx2
import numpy as np
import pytest
from PIL import Image

from support.gpu_servers import Handler, ServerState, SGLang, VllmOmni, serving
from support.served_gateway import ServedGateway, served_here
from support.showing import measured

SECONDS_MAX = 90
VACE = "Wan-AI/Wan2.1-VACE-1.3B-diffusers"
SERVERS: dict[str, tuple[str, type[Handler], str, str]] = {
    "vace": ("vllm_omni", VllmOmni, VACE, ""),
    "i2v": ("vllm_omni", VllmOmni, "studio-i2v", "/weights/Wan2.2-I2V-A14B-Diffusers"),
    "h3": ("vllm_omni", VllmOmni, "MiniMaxAI/MiniMax-H3", ""),
    "ti2v": ("sglang", SGLang, "Wan-AI/Wan2.2-TI2V-5B-Diffusers", ""),
    "h3s": ("sglang", SGLang, "h3", "/cache/models--MiniMaxAI--MiniMax-H3/snapshots/0123"),
}


@dataclass(frozen=True, slots=True)
class Farm:
    """A gateway and its servers, by the names of their accounts."""

    gateway: ServedGateway
    engines: dict[str, ServerState]


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("farm")
    with ExitStack() as stack:
        engines = {
            name: stack.enter_context(serving(server, ServerState(model, root=root, polls_to_end=1)))
            for name, (_, server, model, root) in SERVERS.items()
        }
        accounts = [
            {"provider": SERVERS[name][0], "name": name, "base_url": engine.url} for name, engine in engines.items()
        ]
        gateway = stack.enter_context(served_here(folder / "data", key="sk-test", accounts=accounts))
        yield Farm(gateway, engines)


def until(api: httpx2.Client, job: dict[str, Any], *stages: str) -> dict[str, Any]:
    """The job once it is at one of the stages, or at its end."""
    end = time.monotonic() + SECONDS_MAX
    while job["status"] in ("pending", "in_progress") and job["stage"] not in stages and time.monotonic() < end:
        job = api.get(f"/videos/{job['id']}", params={"wait": 0 if stages else 20}).json()
    return job


def created(api: httpx2.Client, model: str, *references: dict[str, Any], **asked: Any) -> dict[str, Any]:
    wanted = {"model": model, "prompt": "it turns slowly", "duration": 1, **asked}
    answer = api.post("/videos", json={**wanted, "input_references": list(references)})
    assert answer.status_code == 202, answer.text
    return answer.json()


def given(api: httpx2.Client, data: bytes, role: str = "reference", kind: str = "image") -> dict[str, Any]:
    """A file as a reference, uploaded."""
    headers = {"content-type": "application/octet-stream"}
    url = api.post("/assets", content=data, headers=headers).json()["url"]
    return {"type": f"{kind}_url", f"{kind}_url": {"url": url}, "role": role}


def fetched(api: httpx2.Client, job: dict[str, Any], into: Path) -> tuple[int, int, int]:
    """Width, height and frames of the finished file."""
    assert job["status"] == "completed", job
    into.write_bytes(api.get(f"/videos/{job['id']}/content").content)
    return measured(into)


def frames_at(path: Path, *shares: float) -> list[np.ndarray]:
    """The frames of a video at these shares of its length."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [frames[int(share * (len(frames) - 1))] for share in shares]


def clip() -> bytes:
    """Two seconds of a moving picture."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 480, 320, "yuv420p"
        for number in range(60):
            picture = np.roll(np.tile(np.arange(480, dtype=np.uint8), (320, 1)), number, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.dstack([picture] * 3), format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def tone() -> bytes:
    """Two seconds of a tone."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((np.sin(np.arange(40_000) / 10) * 9000).astype("<i2").tobytes())
    return buffer.getvalue()


def test_three_photos_come_whole_to_vace(farm: Farm, photos: tuple[Path, ...], tmp_path: Path):
    with farm.gateway.client() as api:
        references = [given(api, photo.read_bytes()) for photo in photos[:3]]
        job = until(api, created(api, "wan/vace-1.3b", *references, duration=3))
        assert fetched(api, job, tmp_path / "out.mp4") == (832, 480, 49)
    assert job["usage"]["cost"] == 0
    said = " ".join(warning["message"] for warning in job["warnings"])
    assert "JPEG of quality 95" in said
    assert "placed on white, 832x480" in said
    assert "seed" in said
    for photo, frame in zip(photos, frames_at(tmp_path / "out.mp4", 0, 0.5, 1), strict=False):
        with Image.open(photo) as image:
            whole = image.convert("RGB")
        scale = min(832 / whole.width, 480 / whole.height)
        inside = np.asarray(whole.resize((round(whole.width * scale), round(whole.height * scale))), dtype=float)
        side = (832 - inside.shape[1]) // 2
        # The clip moves sideways, so what a row holds is compared, and not where.
        assert abs(frame[:, :].mean() * 832 - inside.mean() * inside.shape[1] - 255 * 2 * side) / 832 < 6


@pytest.mark.parametrize(
    ("account", "model", "asked", "size", "frames"),
    [
        ("i2v", "wan/2.2-i2v-a14b", {"resolution": "720p"}, (1280, 720), 17),
        ("ti2v", "wan/2.2-ti2v-5b", {"aspect_ratio": "9:16"}, (704, 1280), 25),
    ],
)
def test_a_first_frame_begins_the_video_on_either_server(
    account: str,
    model: str,
    asked: dict[str, Any],
    size: tuple[int, int],
    frames: int,
    farm: Farm,
    photos: tuple[Path, ...],
    tmp_path: Path,
):
    before = farm.engines[account].order_count
    with farm.gateway.client() as api:
        job = until(api, created(api, model, given(api, photos[0].read_bytes(), "first_frame"), **asked))
        assert fetched(api, job, tmp_path / "out.mp4") == (*size, frames)
    assert job["provider"] == SERVERS[account][0]
    assert farm.engines[account].order_count == before + 1
    said = [warning["message"] for warning in job["warnings"]]
    assert any("The first frame (512x512) was padded with its edge color" in one for one in said)


@pytest.mark.parametrize(("account", "provider"), [("h3", "vllm_omni"), ("h3s", "sglang")])
def test_h3_takes_pictures_a_video_and_a_sound_on_either_server(
    account: str, provider: str, farm: Farm, photos: tuple[Path, ...], tmp_path: Path
):
    with farm.gateway.client() as api:
        references = [
            {**given(api, photos[0].read_bytes()), "name": "hero"},
            {**given(api, clip(), kind="video"), "name": "walk"},
            given(api, tone(), kind="audio"),
        ]
        asked = {"prompt": "@hero moves as in @walk", "duration": 4, "provider": {"only": [provider]}}
        job = until(api, created(api, "minimax/hailuo-3", *references, **asked))
        assert fetched(api, job, tmp_path / "out.mp4") == (1344, 768, 107)
    order = next(reversed(farm.engines[account].jobs.values()))
    assert (order.task, order.kinds) == ("ref2va", ["image", "video", "audio"])
    assert order.prompt == "<Picture 1> moves as in <Video 1>"
    assert order.pictures[0].size == (512, 512)
    assert job["provider"] == provider


def test_a_job_that_fails_on_the_gpu_fails_here_with_its_words(farm: Farm, photos: tuple[Path, ...]):
    engine = farm.engines["vace"]
    engine.fault = "CUDA out of memory"
    try:
        with farm.gateway.client() as api:
            job = until(api, created(api, "wan/vace-1.3b", given(api, photos[0].read_bytes())))
    finally:
        engine.fault = None
    assert job["status"] == "failed"
    assert "CUDA out of memory" in str(job["error"])


def test_a_cancelled_job_is_aborted_on_the_gpu(farm: Farm, photos: tuple[Path, ...]):
    engine = farm.engines["i2v"]
    engine.is_stuck = True
    try:
        with farm.gateway.client() as api:
            first = given(api, photos[0].read_bytes(), "first_frame")
            job = until(api, created(api, "wan/2.2-i2v-a14b", first), "running", "queued at the provider")
            ordered = list(engine.jobs)[-1]
            job = until(api, api.post(f"/videos/{job['id']}/cancel").json())
    finally:
        engine.is_stuck = False
    assert job["status"] == "cancelled"
    assert engine.deleted == [ordered]
    assert job["error"] == "The job was cancelled. Nothing is charged."


@pytest.mark.parametrize(("account", "model"), [("i2v", "wan/2.2-i2v-a14b"), ("ti2v", "wan/2.2-ti2v-5b")])
def test_an_order_that_a_restarted_server_forgot_is_made_again(
    account: str, model: str, farm: Farm, photos: tuple[Path, ...], tmp_path: Path
):
    engine = farm.engines[account]
    before, engine.is_stuck = engine.order_count, True
    with farm.gateway.client() as api:
        first = given(api, photos[0].read_bytes(), "first_frame")
        job = until(api, created(api, model, first, seed=7), "running", "queued at the provider")
        assert engine.order_count == before + 1
        engine.is_stuck = False
        engine.forget()
        job = until(api, job)
        fetched(api, job, tmp_path / "out.mp4")
    assert engine.order_count == before + 2


def test_what_no_server_here_serves_is_refused_at_the_check(farm: Farm, photos: tuple[Path, ...]):
    with farm.gateway.client() as api:
        wanted = {"model": "wan/vace-14b", "prompt": "it turns", "duration": 2}
        answer = api.post("/videos", json=wanted)
        assert answer.status_code == 400, answer.text
        codes = {problem["code"] for problem in answer.json()["error"]["metadata"]["problems"]}
    assert codes == {"model_unavailable"}
