"""Handing a reference to a provider: as its own URL, as a signed URL of the gateway, or as the file itself."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from framegate.domain import PreparedReference, Problem, Reference
from framegate.domain.errors import Refused
from framegate.domain.machine import REAL_MACHINE, Machine

DATA_URL_BYTES_MAX = 20 * 2**20

ReferenceTransport = Literal["url", "link", "data", "upload"]  # own URL, signed URL, data URL, file upload


def transport_of(
    reference: Reference,
    transports: Sequence[ReferenceTransport],
    *,
    has_signed_url: bool,
    fitted: bool = False,
    size_bytes: int = 0,
) -> ReferenceTransport | None:
    """The first transport that is possible for a reference; None if there is none.

    A reference that was changed for the model (`fitted`) cannot use its own URL.
    """
    is_possible: dict[ReferenceTransport, bool] = {
        "url": reference.url.startswith("https://") and not fitted,
        "link": has_signed_url,
        "data": size_bytes <= DATA_URL_BYTES_MAX,
        "upload": True,
    }
    return next((transport for transport in transports if is_possible[transport]), None)


def out_of_reach(
    reference: Reference,
    pointer: str,
    provider: str,
    transports: Sequence[ReferenceTransport],
    *,
    fitted: bool = False,
    size_bytes: int = 0,
) -> Problem:
    """The problem of a reference that cannot be handed to a provider: the reason, and what to do."""
    if "data" in transports:
        reason = f"its {size_bytes:,} bytes exceed the limit for a request to {provider} ({DATA_URL_BYTES_MAX:,})"
    elif fitted and reference.url.startswith("https://"):
        reason = f"{provider} downloads references from their URLs, and this file had to be changed for the model"
    else:
        reason = f"{provider} downloads references from their URLs, and cannot reach this one"
    action = "Send a file that needs no change" if fitted else "Use an https:// URL"
    message = (
        f"references: {reason}. {action}, or set `public_url`, so that the provider can download from the gateway."
    )
    return Problem(code="reference_out_of_reach", pointer=pointer, message=message)


async def address(
    prepared: PreparedReference,
    transports: Sequence[ReferenceTransport],
    provider: str = "this provider",
    *,
    machine: Machine = REAL_MACHINE,
) -> str:
    """The reference by the first transport that is possible: its own URL, a signed URL, or a data URL.

    Raises `Refused` if there is none.
    """
    reference, size_bytes = prepared.reference, prepared.blob.size_bytes
    has_signed_url = prepared.signed_url is not None
    match transport_of(
        reference, transports, has_signed_url=has_signed_url, fitted=prepared.fitted, size_bytes=size_bytes
    ):
        case "url":
            return reference.url
        case "link" if prepared.signed_url is not None:
            return prepared.signed_url
        case "data":
            return data_url(prepared, await machine.run_in_thread(Path(prepared.path).read_bytes))
        case _:
            pointer = reference.pointer or "/references"
            fitted = prepared.fitted
            problem = out_of_reach(reference, pointer, provider, transports, fitted=fitted, size_bytes=size_bytes)
            raise Refused(problem.message)


def data_url(prepared: PreparedReference, data: bytes) -> str:
    """The content of a reference's file as a data URL."""
    return f"data:{prepared.blob.media_type};base64,{base64.b64encode(data).decode()}"
