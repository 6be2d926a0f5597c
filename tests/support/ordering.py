"""Orders as the worker passes them to a provider, built from a few fields."""

import hashlib
import time
from pathlib import Path
from typing import Any

from PIL import Image

from framegate.domain import Blob, JobPolicy, Kind, Order, PreparedReference, Reference, Request, Role, Target

JOB_ID = "01930000-0000-7000-8000-000000000000"  # created on 2024-11-06
KEY = "key-of-the-order"
TARGET = {"width": 1280, "height": 720, "fps": 24, "duration": 8, "audio": False, "seed": None}
MEDIA_TYPES = {Kind.IMAGE: "image/png", Kind.VIDEO: "video/mp4", Kind.AUDIO: "audio/mpeg"}


def make_order(folder: Path, **values: Any) -> Order:
    """An order; `target`, `references`, `policy` and the fields of the request are written as in JSON."""
    references = tuple(_prepared(folder, number, row) for number, row in enumerate(values.pop("references", ())))
    model = values.pop("model", "google/veo-3.1")
    requested_model = values.pop("requested_model", model)
    job_id = values.pop("job_id", JOB_ID)
    created_at = int(job_id.replace("-", "")[:12], 16) / 1000  # of a UUIDv7
    return Order(
        job_id=job_id,
        age_seconds=values.pop("age_seconds", time.time() - created_at),
        key=values.pop("key", KEY),
        model=model,
        model_id=values.pop("model_id", model),
        prompt=values.pop("rewritten_prompt", None),
        target=Target(**{**TARGET, "resolution": "720p", "aspect_ratio": "16:9", **values.pop("target", {})}),
        references=references,
        audio_is_optional=values.pop("audio_is_optional", False),
        request=Request(
            policy=JobPolicy(**values.pop("policy", {})),
            model=requested_model,
            references=tuple(prepared.reference for prepared in references),
            **values,
        ),
    )


def _prepared(folder: Path, number: int, row: dict[str, Any]) -> PreparedReference:
    fields = dict(row)
    width, height = fields.pop("size", (64, 48))
    signed_url, fitted = fields.pop("signed_url", None), fields.pop("fitted", False)
    kind = Kind(fields.pop("kind", "image"))
    role = Role(fields.pop("role", "reference"))
    path = folder / f"reference-{number}"
    if kind is Kind.IMAGE:
        Image.new("RGB", (width, height), (200, 40 * number % 256, 90)).save(path, "PNG")
    else:
        path.write_bytes(f"{kind} {number}".encode())
    data = path.read_bytes()
    return PreparedReference(
        reference=Reference(**{"url": f"https://pictures.test/{number}", **fields, "kind": kind, "role": role}),
        blob=Blob(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data), media_type=MEDIA_TYPES[kind]),
        path=str(path),
        width=width,
        height=height,
        fitted=fitted,
        signed_url=signed_url,
    )
