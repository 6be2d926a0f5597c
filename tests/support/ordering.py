"""Orders as the runner hands them to a provider, made from a few words."""

import hashlib
from pathlib import Path
from typing import Any

from PIL import Image

from framegate.domain import Blob, JobPolicy, Kind, Order, PreparedReference, Reference, Request, Role, Target

JOB_ID = "01930000-0000-7000-8000-000000000000"  # made on 2024-11-06
KEY = "key-of-the-order"
TARGET = {"width": 1280, "height": 720, "fps": 24, "duration": 8, "audio": False, "seed": None}
MEDIA = {Kind.IMAGE: "image/png", Kind.VIDEO: "video/mp4", Kind.AUDIO: "audio/mpeg"}


def order(folder: Path, **said: Any) -> Order:
    """An order; `target`, `references` and the fields of the request are given as JSON gives them."""
    references = tuple(_prepared(folder, number, row) for number, row in enumerate(said.pop("references", ())))
    model = said.pop("model", "google/veo-3.1")
    asked = said.pop("asked", model)  # as the client wrote it
    return Order(
        job_id=said.pop("job_id", JOB_ID),
        key=said.pop("key", KEY),
        model=model,
        model_id=said.pop("model_id", model),
        prompt=said.pop("rewritten", None),
        target=Target(**{**TARGET, "resolution": "720p", "aspect_ratio": "16:9", **said.pop("target", {})}),
        references=references,
        audio_is_optional=said.pop("sound_choice", False),
        request=Request(
            policy=JobPolicy(**said.pop("handling", {})),
            model=asked,
            references=tuple(one.reference for one in references),
            **said,
        ),
    )


def _prepared(folder: Path, number: int, row: dict[str, Any]) -> PreparedReference:
    row = dict(row)
    width, height = row.pop("size", (64, 48))
    link, fitted = row.pop("link", None), row.pop("fitted", False)
    kind = Kind(row.pop("kind", "image"))
    role = Role(row.pop("role", "reference"))
    path = folder / f"reference-{number}"
    if kind is Kind.IMAGE:
        Image.new("RGB", (width, height), (200, 40 * number % 256, 90)).save(path, "PNG")
    else:
        path.write_bytes(f"{kind} {number}".encode())
    data = path.read_bytes()
    return PreparedReference(
        reference=Reference(**{"url": f"https://pictures.test/{number}", **row, "kind": kind, "role": role}),
        blob=Blob(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data), media_type=MEDIA[kind]),
        path=str(path),
        width=width,
        height=height,
        fitted=fitted,
        signed_url=link,
    )
