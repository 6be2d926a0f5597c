"""SGLang Diffusion, on a GPU of one's own. Facts: the PyPI package `sglang` 0.5.23 (its video server)."""

from pathlib import Path
from typing import Any, cast

import anyio

from framegate.errors import Refused
from framegate.providers.engine import Engine, form, frames
from framegate.providers.hand import Way, address
from framegate.providers.service import has, present, prompt
from framegate.types import Handle, Kind, Made, Order, Prepared, Role

BASE_URL = "http://127.0.0.1:30000"
WAYS: tuple[Way, ...] = ("data",)  # a server of one's own often reaches no other
KEYFRAMES = {Role.FIRST_FRAME: 0, Role.LAST_FRAME: -1}


class SGLang(Engine):
    """One SGLang server and the one model that it serves. Its DELETE only forgets a job, so nothing can be stopped."""

    name = "sglang"
    title = "SGLang"

    async def request(self, order: Order) -> dict[str, Any]:
        """The order as a form; for MiniMax H3 as JSON."""
        return {"json": await h3_body(order)} if is_h3(order) else {"files": await body(order)}

    def notes(self, order: Order) -> list[str]:
        """What will be made otherwise than asked; H3 is asked for seconds and not for frames."""
        return [] if is_h3(order) else super().notes(order)

    def files(self, job: dict[str, Any], handle: Handle) -> list[Made]:
        """Where the finished files lie: at the server, or in the cloud where it puts them there."""
        told = job.get("urls") or [job.get("url")]
        urls = cast("list[Any]", told) if isinstance(told, list) else [told]
        if cloud := [url for url in urls if isinstance(url, str) and url.startswith(("https://", "http://"))]:
            return [self.made(url) for url in cloud]
        paths = job.get("file_paths")
        count = len(cast("list[Any]", paths)) if isinstance(paths, list) and paths else 1
        return [self.made(f"v1/videos/{handle['id']}/content?variant={number}") for number in range(count)]


def is_h3(order: Order) -> bool:
    """Whether the model is MiniMax H3, which has a body of its own."""
    return "h3" in (order.model_id or order.model).lower().replace("/", "-").split("-")


async def body(order: Order) -> dict[str, tuple[Any, ...]]:
    """The order as a form. Raises `Refused` for more than the one picture that the server keeps."""
    if len(order.references) > 1:
        raise Refused("SGLang keeps only the first picture of an order, so it is sent no more than one.")
    target = order.target
    fields = {
        "prompt": prompt(order),
        "model": order.model_id or order.model,
        "size": f"{target.width}x{target.height}",
        "num_frames": frames(order),
        "fps": target.fps,
        "seed": target.seed,
        "negative_prompt": order.request.negative_prompt,
    }
    sent: dict[str, tuple[Any, ...]] = dict(form(fields, order.request.options.get("sglang", {}), "sglang"))
    for prepared in order.references:
        sent["input_reference"] = await _file(prepared)
    return sent


async def _file(prepared: Prepared) -> tuple[Any, ...]:
    reference, path = prepared.reference, Path(prepared.path)
    if reference.kind is not Kind.IMAGE or reference.role not in (Role.FIRST_FRAME, Role.REFERENCE):
        raise Refused(f"SGLang takes one picture, no {reference.kind} as {reference.role.replace('_', ' ')}.")
    suffix = prepared.blob.media_type.rpartition("/")[2]
    return f"reference.{suffix}", await anyio.Path(path).read_bytes(), prepared.blob.media_type


async def h3_body(order: Order) -> dict[str, Any]:
    """The order for MiniMax H3: every reference with its role. Raises `Refused` for roles that it has no word for."""
    if has(order, *KEYFRAMES) and has(order, Role.REFERENCE):
        raise Refused("H3 is made for frames or for references, not for both in one order.")
    target = order.target
    task = "fl2va" if has(order, *KEYFRAMES) else "ref2va" if order.references else "t2va"
    shape = {"short_edge": min(target.width, target.height), "aspect_ratio": target.aspect_ratio or "auto"}
    return present(
        {
            **order.request.options.get("sglang", {}),
            "model": order.model_id or order.model,
            "task": task,
            "prompt": prompt(order),
            "conditions": [await _condition(prepared) for prepared in order.references],
            "target": {**shape, "duration_seconds": target.duration},
            "seed": target.seed,
        }
    )


async def _condition(prepared: Prepared) -> dict[str, Any]:
    reference, uri = prepared.reference, await address(prepared, WAYS, "SGLang")
    if reference.role is Role.REFERENCE:
        return {"type": reference.kind.value, "uri": uri, "role": "reference"}
    if reference.role not in KEYFRAMES:
        raise Refused(f"H3 takes no {reference.role} by this server.")
    return {"type": "image", "role": "keyframe", "frame_index": KEYFRAMES[reference.role], "uri": uri}
