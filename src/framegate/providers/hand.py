"""How a prepared reference is handed to a provider: by its own address, by ours, or whole."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import anyio

from framegate.errors import Refused
from framegate.types import Prepared

DATA_URL_BYTES_MAX = 20 * 2**20

Way = Literal["url", "link", "data"]


async def address(prepared: Prepared, ways: Sequence[Way], *, data_bytes_max: int = DATA_URL_BYTES_MAX) -> str:
    """The reference in the first of `ways` that can be: its original address, our signed link, or a data URL.

    Its original address only while it is what that gives. Raises `Refused` where no way is left.
    """
    for way in ways:
        if way == "url" and prepared.reference.url.startswith("https://") and not prepared.fitted:
            return prepared.reference.url
        if way == "link" and prepared.link is not None:
            return prepared.link
        if way == "data" and prepared.blob.size_bytes <= data_bytes_max:
            return await data_url(prepared)
    raise Refused(
        f"The reference at {prepared.reference.pointer or 'references'} cannot be handed to this provider: "
        "give it by an https address, or set `public_url` so that the provider can fetch it from here."
    )


async def data_url(prepared: Prepared) -> str:
    """The file as a data URL."""
    data = await anyio.Path(Path(prepared.path)).read_bytes()
    return f"data:{prepared.blob.media_type};base64,{base64.b64encode(data).decode()}"
