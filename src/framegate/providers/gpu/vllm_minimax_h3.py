"""MiniMax H3 as vLLM-Omni takes it: a form with the pictures, videos and sounds as files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import anyio

from framegate.domain import Order, PreparedReference
from framegate.domain.errors import Refused
from framegate.providers.gpu.base import EncodedOrder, form, frame_file, reject_duplicates, seed_of
from framegate.providers.gpu.families import H3, counted
from framegate.providers.gpu.minimax_h3 import KEYFRAMES, in_order, task_of
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

SAID_OTHERWISE = ("size", "short_edge", "num_frames", "negative_prompt", "input_references")
Part = tuple[str, tuple[Any, ...]]


async def written(order: Order, model: str, options: Mapping[str, Any]) -> EncodedOrder:
    """The order as a form. Its length is said in seconds: frames are rounded up, and then 15 s are too long."""
    task, (files, said) = task_of(order), await _files(order)
    seed, drawn = seed_of(order)
    target, more = order.target, dict(options)
    fields = {
        "prompt": prompt(order),
        "model": model,
        "seconds": str(target.duration),
        "width": target.width,
        "height": target.height,
        "fps": target.fps,
        "aspect_ratio": None if task == "fl2va" else target.aspect_ratio,  # there the frames have it
        "seed": seed,
    }
    extra = _extra(order, task, more.pop("extra_params", {}))
    parts = form({**fields, **dict.fromkeys(SAID_OTHERWISE)}, more, "vllm_omni")
    parts |= form({"extra_params": extra}, {}, "vllm_omni")
    return EncodedOrder({"files": [*parts.items(), *files]}, (*counted(order, H3), *said, *drawn))


def _extra(order: Order, task: str, asked: object) -> dict[str, Any]:
    """What only H3 is told: without its task it would take any picture for a frame."""
    extra: dict[str, Any] = {"task": task}
    if task == "fl2va":
        extra["frame_indices"] = [KEYFRAMES[one.reference.role] for one in in_order(order)]
    if not isinstance(asked, Mapping):
        raise Refused("provider.options.vllm_omni.extra_params: must be an object.")
    more = cast("Mapping[str, Any]", asked)
    return {**reject_duplicates(more, extra, "vllm_omni.extra_params"), **extra}


async def _files(order: Order) -> tuple[list[Part], list[str]]:
    """The references as files, frames in the video's size, and notes of what that changed."""
    files: list[Part] = []
    notes: list[str] = []
    for number, one in enumerate(in_order(order)):
        if one.reference.role in KEYFRAMES:
            data, said = await frame_file(one, order)
            files.append(("input_references", (f"frame-{number}.png", data, "image/png")))
            notes += said
        else:
            data = await anyio.Path(Path(one.path)).read_bytes()
            name = f"reference-{number}.{_suffix(one)}"
            files.append(("input_references", (name, data, one.blob.media_type)))
    return files, notes


def _suffix(prepared: PreparedReference) -> str:
    media_type = prepared.blob.media_type
    if media_type not in SUFFIXES:
        place = prepared.reference.pointer or "references"
        raise Refused(f"{place}: H3 reads JPEG, PNG, WebP, MP4, MOV, MP3 and WAV here, not {media_type}.")
    return SUFFIXES[media_type]
