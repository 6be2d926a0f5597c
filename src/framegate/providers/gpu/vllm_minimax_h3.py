"""MiniMax H3 on vLLM-Omni: a form with the pictures, videos and sounds as files."""

from collections.abc import Mapping
from typing import Any, cast

from framegate.domain import Order, PreparedReference
from framegate.domain.errors import Refused
from framegate.providers.gpu.base import EncodedOrder, GpuServer, Part, form_parts, reject_duplicates, seed_of
from framegate.providers.gpu.families import H3, frame_count_notes
from framegate.providers.gpu.minimax_h3 import KEYFRAMES, sorted_references, task_of
from framegate.providers.http import prompt

SUFFIXES = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
}
# Fields of the server that duplicate the request in another form: options must not set them.
DERIVED_FIELDS = ("size", "short_edge", "num_frames", "negative_prompt", "input_references")


async def encode_h3(server: GpuServer, order: Order) -> EncodedOrder:
    """The order as a form. It states the length in seconds: frames are rounded up, and then 15 s are rejected."""
    task, (files, notes) = task_of(order), await _files(server, order)
    seed, seed_notes = seed_of(order)
    target, options = order.target, dict(server.options(order))
    fields = {
        "prompt": prompt(order),
        "model": server.model(order),
        "seconds": str(target.duration),
        "width": target.width,
        "height": target.height,
        "fps": target.fps,
        "aspect_ratio": None if task == "fl2va" else target.aspect_ratio,  # the frames determine it
        "seed": seed,
    }
    extra_params = _extra_params(order, task, options.pop("extra_params", {}))
    parts = form_parts({**fields, **dict.fromkeys(DERIVED_FIELDS)}, options, server.name)
    parts |= form_parts({"extra_params": extra_params}, {}, server.name)
    return EncodedOrder({"files": [*parts.items(), *files]}, (*frame_count_notes(order, H3), *notes, *seed_notes))


def _extra_params(order: Order, task: str, options: object) -> dict[str, Any]:
    """The parameters that only H3 has: without its task, it takes every picture for a frame."""
    if not isinstance(options, Mapping):
        raise Refused("provider.options.vllm_omni.extra_params must be an object.")
    params: dict[str, Any] = {"task": task}
    if task == "fl2va":
        params["frame_indices"] = [KEYFRAMES[prepared.reference.role] for prepared in sorted_references(order)]
    extra = cast("Mapping[str, Any]", options)
    return {**reject_duplicates(extra, params, "vllm_omni.extra_params"), **params}


async def _files(server: GpuServer, order: Order) -> tuple[list[tuple[str, Part]], list[str]]:
    """The references as files, frames in the size of the video, and notes of what was changed."""
    files: list[tuple[str, Part]] = []
    notes: list[str] = []
    for number, prepared in enumerate(sorted_references(order)):
        if prepared.reference.role in KEYFRAMES:
            data, frame_notes = await server.frame_png(prepared, order)
            files.append(("input_references", (f"frame-{number}.png", data, "image/png")))
            notes += frame_notes
        else:
            data = await server.read(prepared)
            name = f"reference-{number}.{_suffix(prepared)}"
            files.append(("input_references", (name, data, prepared.blob.media_type)))
    return files, notes


def _suffix(prepared: PreparedReference) -> str:
    media_type = prepared.blob.media_type
    if media_type not in SUFFIXES:
        pointer = prepared.reference.pointer or "references"
        raise Refused(f"{pointer}: H3 on vLLM-Omni reads JPEG, PNG, WebP, MP4, MOV, MP3 and WAV, not {media_type}.")
    return SUFFIXES[media_type]
