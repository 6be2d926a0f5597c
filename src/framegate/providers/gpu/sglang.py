"""SGLang Diffusion, on the operator's GPU. Facts: the PyPI package `sglang` 0.5.23 (its video server)."""

import base64
from collections.abc import Iterable, Sequence
from typing import Any, cast

from framegate.domain import Handle, Kind, Order, PreparedReference, Reference, Role
from framegate.domain.errors import Refused
from framegate.domain.json import as_list
from framegate.providers.gpu.base import EncodedOrder, GpuServer, Parts, form_parts, reject_duplicates, seed_of
from framegate.providers.gpu.families import H3, family_for, frame_count_notes
from framegate.providers.gpu.minimax_h3 import KEYFRAMES, SHORT_EDGE, sorted_references, task_of
from framegate.providers.http import prompt, segment, without_empty
from framegate.providers.references import ReferenceTransport

# Fields of the server that duplicate the request in another form: options must not set them.
DERIVED_FIELDS = ("width", "height", "seconds", "input_reference", "reference_url")
OPTIONS = frozenset(
    [
        "prompt",
        "model",
        "task",
        "task_type",
        "conditions",
        "target",
        "input_reference",
        "reference_url",
        "video_reference",
        "video_url",
        "video_path",
        "n",
        "num_outputs_per_prompt",
        "seconds",
        "size",
        "fps",
        "num_frames",
        "width",
        "height",
        "seed",
        "generator_device",
        "negative_prompt",
        "num_inference_steps",
        "guidance_scale",
        "guidance_scale_2",
        "true_cfg_scale",
        "max_sequence_length",
        "flow_shift",
        "enable_teacache",
        "enable_frame_interpolation",
        "frame_interpolation_exp",
        "frame_interpolation_scale",
        "frame_interpolation_model_path",
        "enable_upscaling",
        "upscaling_model_path",
        "upscaling_scale",
        "output_quality",
        "output_compression",
        "x264_preset",
        "output_path",
        "diffusers_kwargs",
        "extra_body",
        "extra_params",
        "enhance_prompt",
    ]
)
GUIDE_TRANSPORTS: tuple[ReferenceTransport, ...] = ("data",)  # such a server often has no internet access


class SGLang(GpuServer):
    """One SGLang server and the model that it serves. Its DELETE only forgets a job, so no order can be stopped."""

    name = "sglang"
    title = "SGLang"
    base_url = "http://127.0.0.1:30000"
    lists_weights_apart = True
    option_names = OPTIONS

    def transports_for(self, reference: Reference) -> Sequence[ReferenceTransport]:
        """A guide of MiniMax H3 is sent unchanged in the JSON; a frame is encoded again in the size of the video."""
        return GUIDE_TRANSPORTS if reference.role is Role.REFERENCE else self.reference_transports

    async def encode(self, order: Order) -> EncodedOrder:
        """The order as a form; for MiniMax H3 as JSON."""
        family = family_for(order, self.title)
        if family is H3:
            return await self._encode_h3(order)
        files, frame_notes = await self._frame_file(order)
        seed, seed_notes = seed_of(order)
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
        parts = form_parts({**dict.fromkeys(DERIVED_FIELDS), **fields}, self.options(order), self.name)
        notes = (*frame_count_notes(order, family), *frame_notes, *seed_notes)
        return EncodedOrder({"files": {**parts, **files}}, notes)

    def file_urls(self, job: dict[str, Any], handle: Handle) -> Iterable[str]:
        """The URLs of the finished files: on the server, or in the cloud storage to which it uploads them."""
        value = job.get("urls") or [job.get("url")]
        urls = cast("list[Any]", value) if isinstance(value, list) else [value]
        if cloud_urls := [url for url in urls if isinstance(url, str) and url.startswith(("https://", "http://"))]:
            return cloud_urls
        count = len(as_list(job.get("file_paths"))) or 1
        return [f"v1/videos/{segment(handle['id'])}/content?variant={number}" for number in range(count)]

    async def _frame_file(self, order: Order) -> tuple[Parts, list[str]]:
        """The picture as a file, and notes of what was changed.

        The clip gets the shape of the picture, whatever size is requested, so the picture is brought to that size.
        """
        if len(order.references) > 1:
            raise Refused("SGLang only keeps the first picture of an order. Send one picture.")
        for prepared in order.references:
            kind, role = prepared.reference.kind, prepared.reference.role
            if kind is not Kind.IMAGE or role is not Role.FIRST_FRAME:
                raise Refused(
                    f"SGLang only accepts an image as first frame. Not supported: {kind} as {role.replace('_', ' ')}."
                )
            data, notes = await self.frame_png(prepared, order)
            return {"input_reference": ("frame.png", data, "image/png")}, notes
        return {}, []

    async def _encode_h3(self, order: Order) -> EncodedOrder:
        """An order for MiniMax H3: each reference with its role. fps, frames and a negative prompt are rejected."""
        target, task = order.target, task_of(order)
        conditions: list[dict[str, Any]] = []
        notes = frame_count_notes(order, H3)
        for prepared in sorted_references(order):
            condition, frame_notes = await self._condition(prepared, order)
            conditions.append(condition)
            notes += frame_notes
        seed, seed_notes = seed_of(order)
        shape = {"short_edge": SHORT_EDGE, "aspect_ratio": target.aspect_ratio or "auto"}
        fields = {
            "model": self.model(order),
            "task": task,
            "prompt": prompt(order),
            "conditions": conditions,
            "target": {**shape, "duration_seconds": target.duration},
            "seed": seed,
        }
        body = without_empty({**reject_duplicates(self.options(order), fields, self.name), **fields})
        return EncodedOrder({"json": body}, (*notes, *seed_notes))

    async def _condition(self, prepared: PreparedReference, order: Order) -> tuple[dict[str, Any], list[str]]:
        reference = prepared.reference
        if reference.role is Role.REFERENCE:
            url = await self.url_of(prepared)
            return {"type": reference.kind.value, "uri": url, "role": "reference"}, []
        data, notes = await self.frame_png(prepared, order)
        url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
        return {"type": "image", "role": "keyframe", "frame_index": KEYFRAMES[reference.role], "uri": url}, notes
