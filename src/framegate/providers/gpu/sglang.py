"""SGLang Diffusion, on a GPU of one's own. Facts: the PyPI package `sglang` 0.5.23 (its video server)."""

import base64
from collections.abc import Sequence
from typing import Any, cast

from framegate.domain import Handle, Kind, Order, PreparedReference, ProviderFile, Reference, Role
from framegate.domain.errors import ProviderError, Refused
from framegate.providers.gpu.base import EncodedOrder, GpuServer, form, frame_file, reject_duplicates, seed_of
from framegate.providers.gpu.families import H3, counted, family_for
from framegate.providers.gpu.minimax_h3 import KEYFRAMES, SHORT_EDGE, in_order, task_of
from framegate.providers.http import present, prompt
from framegate.providers.references import ReferenceTransport, address

BASE_URL = "http://127.0.0.1:30000"
SAID_OTHERWISE = ("width", "height", "seconds", "input_reference", "reference_url")
WAYS: tuple[ReferenceTransport, ...] = ("data",)  # a server of one's own often reaches no other


class SGLang(GpuServer):
    """One SGLang server and the one model that it serves. Its DELETE only forgets a job, so nothing can be stopped."""

    name = "sglang"
    title = "SGLang"

    async def names(self) -> tuple[str, ...]:
        """What its one model is called there; where it lies stands at another address."""
        names = await super().names()
        try:
            path = (await self._told("model_info")).get("model_path")
        except ProviderError:
            path = None
        return (*names, path) if isinstance(path, str) and path not in names else names

    def transports_for(self, reference: Reference) -> Sequence[ReferenceTransport]:
        """A guide of MiniMax H3 goes whole into the order's JSON; a frame is written anew, in the video's size."""
        return WAYS if reference.role is Role.REFERENCE else self.reference_transports

    async def submit(self, order: Order) -> Handle:
        """Place the order, where the server still serves what it did: it looks at no model's name, so we do."""
        if self.served_models is not None and (other := await self._other(self.served_models)):
            raise Refused(f"{self.title} serves {other} by now, no longer {self.served_name}.")
        return await super().submit(order)

    async def request(self, order: Order) -> EncodedOrder:
        """The order as a form; for MiniMax H3 as JSON."""
        family = family_for(order, self.title)
        if family is H3:
            return await self._h3(order)
        files, said = await _picture(order)
        seed, drawn = seed_of(order)
        target = order.target
        fields = {
            "prompt": prompt(order),
            "model": self.model(order),
            "size": f"{target.width}x{target.height}",
            "num_frames": family.frames(target.frames),
            "fps": target.fps,
            "seed": seed,
            "negative_prompt": order.request.negative_prompt,
        }
        parts = form({**dict.fromkeys(SAID_OTHERWISE), **fields}, self.options(order), self.name)
        return EncodedOrder({"files": {**parts, **files}}, (*counted(order, family), *said, *drawn))

    def files(self, job: dict[str, Any], handle: Handle) -> list[ProviderFile]:
        """Where the finished files lie: at the server, or in the cloud where it puts them there."""
        told = job.get("urls") or [job.get("url")]
        urls = cast("list[Any]", told) if isinstance(told, list) else [told]
        if cloud := [url for url in urls if isinstance(url, str) and url.startswith(("https://", "http://"))]:
            return [self.made(url) for url in cloud]
        paths = job.get("file_paths")
        count = len(cast("list[Any]", paths)) if isinstance(paths, list) and paths else 1
        return [self.made(f"v1/videos/{handle['id']}/content?variant={number}") for number in range(count)]

    async def _other(self, served: frozenset[str]) -> str | None:
        """The model that it serves instead, if it does; one that is away is found out by the order itself."""
        try:
            names = await self.names()
        except ProviderError:
            return None
        return None if served.issuperset(names) else names[0]

    async def _h3(self, order: Order) -> EncodedOrder:
        """The order for MiniMax H3: every reference with its role. It refuses a rate, frames and a negative prompt."""
        target, task = order.target, task_of(order)
        conditions: list[dict[str, Any]] = []
        notes: list[str] = []
        for one in in_order(order):
            condition, said = await _condition(one, order)
            conditions.append(condition)
            notes += said
        seed, drawn = seed_of(order)
        shape = {"short_edge": SHORT_EDGE, "aspect_ratio": target.aspect_ratio or "auto"}
        fields = {
            "model": self.model(order),
            "task": task,
            "prompt": prompt(order),
            "conditions": conditions,
            "target": {**shape, "duration_seconds": target.duration},
            "seed": seed,
        }
        body = present({**reject_duplicates(self.options(order), fields, self.name), **fields})
        return EncodedOrder({"json": body}, (*counted(order, H3), *notes, *drawn))


async def _picture(order: Order) -> tuple[dict[str, tuple[Any, ...]], list[str]]:
    """The one picture as a file, and notes of what was changed of it.

    The clip gets the shape of the picture, whatever size is asked for, so the picture gets that size first.
    """
    if len(order.references) > 1:
        raise Refused("SGLang keeps only the first picture of an order, so it is sent no more than one.")
    for one in order.references:
        if one.reference.kind is not Kind.IMAGE or one.reference.role is not Role.FIRST_FRAME:
            role = one.reference.role.replace("_", " ")
            raise Refused(f"SGLang begins a video with a picture, and takes no {one.reference.kind} as {role}.")
        data, said = await frame_file(one, order)
        return {"input_reference": ("frame.png", data, "image/png")}, said
    return {}, []


async def _condition(prepared: PreparedReference, order: Order) -> tuple[dict[str, Any], list[str]]:
    reference = prepared.reference
    if reference.role is Role.REFERENCE:
        return {"type": reference.kind.value, "uri": await address(prepared, WAYS, "SGLang"), "role": "reference"}, []
    data, said = await frame_file(prepared, order)
    index, uri = KEYFRAMES[reference.role], f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return {"type": "image", "role": "keyframe", "frame_index": index, "uri": uri}, said
