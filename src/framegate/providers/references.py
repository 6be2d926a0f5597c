"""How a reference is handed to a provider: by its own address, by ours, or whole."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import anyio

from framegate.domain import PreparedReference, Problem, Reference
from framegate.domain.errors import Refused

DATA_URL_BYTES_MAX = 20 * 2**20

ReferenceTransport = Literal["url", "link", "data", "upload"]
ADVICE = "Give it by an https address"
LINK_ADVICE = ", or have this gate's `public_url` set, so that it can be fetched from here"


def transport_of(
    reference: Reference, ways: Sequence[ReferenceTransport], *, linked: bool, fitted: bool = False, size_bytes: int = 0
) -> ReferenceTransport | None:
    """The first of `ways` by which a reference can be handed over; None where no way is left.

    Its own address only while it is what that gives. `linked`: the gate can be reached from outside.
    """
    possible: dict[ReferenceTransport, bool] = {
        "url": reference.url.startswith("https://") and not fitted,
        "link": linked,
        "data": size_bytes <= DATA_URL_BYTES_MAX,
        "upload": True,
    }
    return next((way for way in ways if possible[way]), None)


def out_of_reach(
    reference: Reference,
    place: str,
    who: str,
    ways: Sequence[ReferenceTransport],
    *,
    fitted: bool = False,
    size_bytes: int = 0,
) -> Problem:
    """The problem of a reference that `who` cannot be handed: why, and what would do."""
    if "data" in ways:
        why = f"its {size_bytes:,} bytes are more than {who} is sent in a request ({DATA_URL_BYTES_MAX:,})"
    elif fitted and reference.url.startswith("https://"):
        why = f"{who} fetches references itself, and what its address gives had to be changed for the model"
    else:
        why = f"{who} fetches references itself, and cannot fetch this one"
    advice = ("Send one that fits as it is" if fitted else ADVICE) + LINK_ADVICE
    return Problem(code="reference_out_of_reach", pointer=place, message=f"references: {why}. {advice}.")


async def address(prepared: PreparedReference, ways: Sequence[ReferenceTransport], who: str = "this provider") -> str:
    """The reference in the first of `ways` that can be: its own address, our signed link, or a data URL.

    Raises `Refused` where no way is left.
    """
    reference, size = prepared.reference, prepared.blob.size_bytes
    linked = prepared.signed_url is not None
    match transport_of(reference, ways, linked=linked, fitted=prepared.fitted, size_bytes=size):
        case "url":
            return reference.url
        case "link" if prepared.signed_url is not None:
            return prepared.signed_url
        case "data":
            return await data_url(prepared)
        case _:
            place = reference.pointer or "/references"
            problem = out_of_reach(reference, place, who, ways, fitted=prepared.fitted, size_bytes=size)
            raise Refused(problem.message)


async def data_url(prepared: PreparedReference) -> str:
    """The file as a data URL."""
    data = await anyio.Path(Path(prepared.path)).read_bytes()
    return f"data:{prepared.blob.media_type};base64,{base64.b64encode(data).decode()}"
