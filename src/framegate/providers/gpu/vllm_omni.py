"""vLLM-Omni, on the operator's GPU. Facts: the PyPI package `vllm-omni` 0.30.0 (its OpenAI-compatible video server)."""

import base64
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from framegate.domain import Handle, Kind, Order, Role
from framegate.domain.errors import OutcomeUnknown, Refused
from framegate.domain.json import at
from framegate.media import calls
from framegate.media.file_info import JpegSet
from framegate.providers.gpu.base import EncodedOrder, GpuServer, Parts, form_parts, seed_of
from framegate.providers.gpu.families import H3, family_for, frame_count_notes
from framegate.providers.gpu.vllm_minimax_h3 import encode_h3
from framegate.providers.http import earliest_arrival, job_list, prompt, segment

JOB_LIST_MAX = 100
FIELD_BYTES_MAX = 900 * 2**10  # of a text field of its form; the server rejects one above 1 MiB
# Fields of the server that duplicate the request in another form: options must not set them.
DERIVED_FIELDS = ("size", "seconds", "input_reference", "input_references", "image_reference")
OPTIONS = frozenset(
    [
        "prompt",
        "model",
        "seconds",
        "size",
        "user",
        "width",
        "height",
        "num_frames",
        "fps",
        "aspect_ratio",
        "short_edge",
        "num_outputs_per_prompt",
        "start_time_seconds",
        "quality",
        "num_inference_steps",
        "guidance_scale",
        "guidance_scale_2",
        "boundary_ratio",
        "flow_shift",
        "true_cfg_scale",
        "seed",
        "generate_sound",
        "sound_duration",
        "negative_prompt",
        "enable_frame_interpolation",
        "frame_interpolation_exp",
        "frame_interpolation_scale",
        "frame_interpolation_model_path",
        "lora",
        "extra_params",
        "return_stage_metrics",
        "input_reference",
        "input_references",
        "image_reference",
        "source_video",
        "source_audio",
        "video_noise_mask",
        "audio_noise_mask",
        "control_reference",
        "control_type",
    ]
)
DATA_URL_PREFIX = "data:image/jpeg;base64,"


class VllmOmni(GpuServer):
    """One vLLM-Omni server and the model that it serves."""

    name = "vllm_omni"
    title = "vLLM-Omni"
    base_url = "http://127.0.0.1:8091"
    option_names = OPTIONS

    async def encode(self, order: Order) -> EncodedOrder:
        """The order as a form."""
        family = family_for(order, self.title)
        if family is H3:
            return await encode_h3(self, order)
        pictures, picture_notes = await self._pictures(order)
        seed, seed_notes = seed_of(order)
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
        parts = form_parts({**dict.fromkeys(DERIVED_FIELDS), **fields}, self.options(order), self.name)
        notes = (*frame_count_notes(order, family), *picture_notes, *seed_notes)
        return EncodedOrder({"files": {**parts, **pictures}}, notes)

    async def cancel(self, handle: Handle) -> bool:
        """Stop the render: the server aborts it, and 409 means that it is still stopping."""
        response = await self.client.query("DELETE", f"v1/videos/{segment(handle['id'])}")
        return response.ok or response.status in (404, 409)

    async def reconcile(self, order: Order) -> Handle | None:
        """Find the job as new as the order with its prompt. Raises `OutcomeUnknown` if there are several."""
        response = await self.client.query("GET", "v1/videos", params={"limit": JOB_LIST_MAX, "order": "desc"})
        jobs = job_list(response)
        since = earliest_arrival(order, response).timestamp()
        matches = [job for job in jobs if _may_be(job, order, since)]
        if len(matches) > 1 or (len(jobs) == JOB_LIST_MAX and not matches):
            raise OutcomeUnknown("It is unknown which of the server's jobs is this order.")
        return self.handle_of(str(at(matches[0], "id"))) if matches else None

    def file_urls(self, job: dict[str, Any], handle: Handle) -> Iterable[str]:  # noqa: ARG002 - the URL follows from the id
        """The URL of the finished file."""
        return [f"v1/videos/{segment(handle['id'])}/content"]

    def progress(self, job: dict[str, Any]) -> object:  # noqa: ARG002 - it is 0 until it is 100
        """None: the server does not report it."""
        return None

    async def _pictures(self, order: Order) -> tuple[Parts, list[str]]:
        """The part of the form with the pictures in the size of the video, and notes of what was changed.

        The server would stretch them to that size. One picture is sent as a PNG file. Several are sent in one text
        field with a size limit: the server takes every file in `input_references` for a video.
        """
        for prepared in order.references:
            if prepared.reference.kind is not Kind.IMAGE:
                raise Refused(f"vLLM-Omni only accepts pictures for this model, no {prepared.reference.kind}.")
        if not order.references:
            return {}, []
        if order.references[0].reference.role is Role.FIRST_FRAME:
            data, notes = await self.frame_png(order.references[0], order)
            return {"input_reference": ("frame.png", data, "image/png")}, notes
        paths, size = [Path(prepared.path) for prepared in order.references], (order.target.width, order.target.height)
        if len(paths) == 1:
            data, change = await self.decoder.run(calls.on_white_png, paths[0], size)
            return {"input_reference": ("reference.png", data, "image/png")}, _change_notes([change])
        overhead_bytes = len(json.dumps([{"image_url": DATA_URL_PREFIX}] * len(paths)))
        bytes_max = (FIELD_BYTES_MAX - overhead_bytes) * 3 // 4 - 3 * len(paths)
        jpegs = await self.decoder.run(calls.on_white_jpegs, paths, size, bytes_max)
        if not jpegs.images:
            raise Refused(_too_large_message(jpegs, order))
        urls = [DATA_URL_PREFIX + base64.b64encode(data).decode() for data in jpegs.images]
        notes = [*_change_notes(jpegs.changes), f"The references were sent as JPEG of quality {jpegs.quality}."]
        return {"image_reference": (None, json.dumps([{"image_url": url} for url in urls]))}, notes


def _change_notes(changes: Sequence[str | None]) -> list[str]:
    return [f"Reference {number} was {change}." for number, change in enumerate(changes, 1) if change]


def _too_large_message(jpegs: JpegSet, order: Order) -> str:
    quality, sizes = jpegs.quality, jpegs.sizes_bytes
    largest = sizes.index(max(sizes))
    pointer = order.references[largest].reference.pointer or f"/references/{largest}"
    return (
        f"{pointer}: as JPEG of quality {quality} it has {sizes[largest]:,} bytes, and all {len(sizes)} pictures have "
        f"{sum(sizes):,}; vLLM-Omni accepts {FIELD_BYTES_MAX * 3 // 4:,} in total. Send fewer pictures, or one with "
        "less grain, or request a smaller video."
    )


def _may_be(job: object, order: Order, since: float) -> bool:
    created_at = at(job, "created_at")
    is_new = not isinstance(created_at, int | float) or created_at >= since
    return is_new and at(job, "prompt") == prompt(order)
