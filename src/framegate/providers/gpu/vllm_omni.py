"""vLLM-Omni, on a GPU of one's own. Facts: the PyPI package `vllm-omni` 0.30.0 (its OpenAI-compatible video server)."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
from PIL import Image

from framegate.domain import Handle, Kind, Order, ProviderFile, Role
from framegate.domain.errors import OutcomeUnknown, Refused
from framegate.media import letterbox
from framegate.net.vendor_client import at
from framegate.providers.gpu import vllm_minimax_h3
from framegate.providers.gpu.base import EncodedOrder, GpuServer, form, frame_file, seed_of
from framegate.providers.gpu.families import H3, counted, family_for
from framegate.providers.http import listed, made_at, prompt

BASE_URL = "http://127.0.0.1:8091"
LISTED_MAX = 100
SKEW = timedelta(minutes=5)  # how far its clock may be from ours
FIELD_BYTES_MAX = 900 * 2**10  # of a text field of its form; it refuses one above 1 MiB
SAID_OTHERWISE = ("size", "seconds", "input_reference", "input_references", "image_reference")
ADDRESS = "data:image/jpeg;base64,"


class VllmOmni(GpuServer):
    """One vLLM-Omni server and the one model that it serves."""

    name = "vllm_omni"
    title = "vLLM-Omni"

    async def request(self, order: Order) -> EncodedOrder:
        """The order as a form."""
        family = family_for(order, self.title)
        if family is H3:
            return await vllm_minimax_h3.written(order, self.model(order), self.options(order))
        pictures, said = await _pictures(order)
        seed, drawn = seed_of(order)
        target = order.target
        fields: dict[str, Any] = {
            "prompt": prompt(order),
            "model": self.model(order),
            "width": target.width,
            "height": target.height,
            "num_frames": family.frames(target.frames),
            "fps": target.fps,
            "seed": seed,
            "negative_prompt": order.request.negative_prompt,
        }
        parts = form({**dict.fromkeys(SAID_OTHERWISE), **fields}, self.options(order), self.name)
        return EncodedOrder({"files": {**parts, **pictures}}, (*counted(order, family), *said, *drawn))

    async def cancel(self, handle: Handle) -> bool:
        """Stop the render: it is aborted at once, and 409 says that this is still going on."""
        answer = await self.upstream.query("DELETE", f"v1/videos/{handle['id']}")
        return answer.ok or answer.status in (404, 409)

    async def reconcile(self, order: Order) -> Handle | None:
        """Find the one job as new as the order that has its prompt. Raises `Unsure` where there are several."""
        answer = await self.upstream.query("GET", "v1/videos", params={"limit": LISTED_MAX, "order": "desc"})
        jobs = listed(answer)
        since = (made_at(order) - SKEW).timestamp()
        ours = [job for job in jobs if _is(job, order, since)]
        if len(ours) > 1 or (len(jobs) == LISTED_MAX and not ours):
            raise OutcomeUnknown("Which of the server's jobs is this order cannot be told.")
        return self.handle_of(str(at(ours[0], "id"))) if ours else None

    def files(self, job: dict[str, Any], handle: Handle) -> list[ProviderFile]:  # noqa: ARG002 - its address follows from the id
        """Where the finished file lies."""
        return [self.made(f"v1/videos/{handle['id']}/content")]

    def progress(self, job: dict[str, Any]) -> object:  # noqa: ARG002 - it says 0 until it says 100
        """Nothing: the server does not tell."""
        return None


async def _pictures(order: Order) -> tuple[dict[str, tuple[Any, ...]], list[str]]:
    """The part of the form that holds the pictures, in the video's size, and notes of what that changed.

    The server would stretch them to that size. One goes as a file, whole. Several go in one text field, which has to be
    small: of files in `input_references` it takes every one for a video.
    """
    for prepared in order.references:
        if prepared.reference.kind is not Kind.IMAGE:
            raise Refused(f"vLLM-Omni takes pictures alone for this model, no {prepared.reference.kind}.")
    if not order.references:
        return {}, []
    if order.references[0].reference.role is Role.FIRST_FRAME:
        data, said = await frame_file(order.references[0], order)
        return {"input_reference": ("frame.png", data, "image/png")}, said
    size = order.target.width, order.target.height
    laid = [await anyio.to_thread.run_sync(letterbox.fit_on_white, Path(one.path), size) for one in order.references]
    said = [f"Reference {number} was {change}." for number, (_, change) in enumerate(laid, 1) if change]
    images = [image for image, _ in laid]
    if len(images) == 1:
        data = await anyio.to_thread.run_sync(letterbox.encode_png, images[0])
        return {"input_reference": ("reference.png", data, "image/png")}, said
    field, quality = await _field(images, order)
    return {"image_reference": (None, field)}, [*said, f"The references went as JPEG of quality {quality}."]


async def _field(images: Sequence[Image.Image], order: Order) -> tuple[str, int]:
    """Several pictures as one text that the server's form takes, and their quality as JPEG. Raises `Refused`."""
    around = len(json.dumps([{"image_url": ADDRESS}] * len(images)))
    room = (FIELD_BYTES_MAX - around) * 3 // 4 - 3 * len(images)
    found = await anyio.to_thread.run_sync(partial(letterbox.encode_jpegs, images, room))
    if found is None:
        raise Refused(_too_large(images, order))
    encoded, quality = found
    return json.dumps([{"image_url": ADDRESS + base64.b64encode(data).decode()} for data in encoded]), quality


def _too_large(images: Sequence[Image.Image], order: Order) -> str:
    sizes = [len(letterbox.encode_jpeg(image, letterbox.QUALITIES[-1])) for image in images]
    worst = sizes.index(max(sizes))
    place = order.references[worst].reference.pointer or f"/references/{worst}"
    return (
        f"{place}: as JPEG of quality {letterbox.QUALITIES[-1]} it has {sizes[worst]:,} bytes, and all {len(images)} "
        f"pictures {sum(sizes):,}; vLLM-Omni takes {FIELD_BYTES_MAX * 3 // 4:,} together. Send fewer, or one with less "
        "grain, or ask for a smaller video."
    )


def _is(job: object, order: Order, since: float) -> bool:
    created = at(job, "created_at")
    new = not isinstance(created, int | float) or datetime.fromtimestamp(created, UTC).timestamp() >= since
    return new and at(job, "prompt") == prompt(order)
