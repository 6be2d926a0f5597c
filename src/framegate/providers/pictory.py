"""Pictory AI Studio. Facts: docs.pictory.ai (AI Studio: generate video; Jobs: get video job)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from framegate.domain import Done, Handle, Order, PreparedReference, Role, Update
from framegate.domain.errors import ProviderError, Refused
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.net.vendor_client import Response, VendorClient, at, plain_reason
from framegate.providers.health import NO_JOB, fields, look
from framegate.providers.http import (
    HttpProvider,
    dropped_option_notes,
    failure,
    job_id_from,
    micro_usd,
    present,
    prompt,
)
from framegate.providers.references import ReferenceTransport, address

BASE_URL = "https://api.pictory.ai/pictoryapis"
WAYS: tuple[ReferenceTransport, ...] = ("url", "link")  # it fetches them itself
# One kind of input at a time, each in a field of its own.
INPUTS = {
    Role.FIRST_FRAME: "firstFrameImageUrl",
    Role.SOURCE: "extendVideoUrl",
    Role.REFERENCE: "referenceImageUrls",
}
JOB_UNKNOWN = "JOB_NOT_FOUND"


class Pictory(HttpProvider):
    """One account at Pictory. It can neither stop nor list jobs, and bills in credits that have no fixed price.

    `usd_per_credit` is what one costs on the account's plan, where its operator says so.
    """

    name = "pictory"
    usd_per_credit: Decimal | None = None
    poll_seconds = 15.0  # it asks for 10 to 30
    reference_transports: ClassVar[tuple[ReferenceTransport, ...]] = WAYS
    status_map: ClassVar[Mapping[str, str]] = {"in-progress": "running", "queued": "queued"}

    def __init__(
        self, account: str, api_key: str, base_url: str = BASE_URL, *, machine: Machine = REAL_MACHINE
    ) -> None:
        upstream = VendorClient(
            base_url, headers={"authorization": api_key}, name="Pictory", reason=_reason, machine=machine
        )
        super().__init__(upstream, account=account, api_key=api_key)

    async def submit(self, order: Order) -> Handle:
        """Place the order."""
        sent = await body(order)
        headers = {"idempotency-key": order.key}
        answer = await self.upstream.submit("POST", "v1/aistudio/videos", json=sent, headers=headers)
        unsaid = dropped_option_notes("Pictory", generate_audio=order.request.generate_audio)
        return self.handle_of(job_id_from(answer, "data", "jobId"), notes=unsaid)

    async def poll(self, handle: Handle) -> Update:
        """Look at the job."""
        answer = await self.upstream.query("GET", f"v1/jobs/{handle['id']}")
        if answer.status == 404 or (not answer.ok and JOB_UNKNOWN in _reason(answer)):
            return self.unknown(handle)
        if not answer.ok:
            raise ProviderError(self.upstream.error_message(answer))
        told = answer.object()
        job = told.get("data")
        match _status(told):
            case "completed":
                return self._done(job, handle)
            case "failed" if JOB_UNKNOWN in _reason(answer):
                return self.unknown(handle)
            case "failed":
                return failure(at(job, "error_message") or at(told, "error", "error_message") or at(job, "error_code"))
            case word:
                return self.running(str(word))

    async def probe(self) -> str:
        """Look for a job that cannot be there."""
        await look(self.upstream, f"v1/jobs/{NO_JOB}", known=_no_job)
        return "it answers, and takes the key"

    def _done(self, job: object, handle: Handle) -> Done:
        url, credit = at(job, "url"), at(job, "aiCreditsUsed")
        if not isinstance(url, str):
            raise ProviderError("Pictory says that the video is made, and not where it lies.")
        used = (
            [f"Pictory charged {credit:g} AI credit{'' if credit == 1 else 's'}."]
            if isinstance(credit, int | float)
            else []
        )
        notes = (*handle.get("notes", ()), *used)
        return Done(
            outputs=(self.made(url),),
            cost_micro_usd=self._cost(credit),
            notes=notes,
            metadata=self.public_metadata(job),
        )

    def _cost(self, credit: object) -> int | None:
        if self.usd_per_credit is None or isinstance(credit, bool) or not isinstance(credit, int | float):
            return None
        return micro_usd(str(Decimal(str(credit)) * self.usd_per_credit))


async def body(order: Order) -> dict[str, Any]:
    """The order in Pictory's words. Raises `Refused` for inputs that it takes only one at a time."""
    given: dict[Role, list[PreparedReference]] = {}
    for prepared in order.references:
        given.setdefault(prepared.reference.role, []).append(prepared)
    if strange := [role for role in given if role not in INPUTS]:
        raise Refused(f"Pictory takes no {strange[0].replace('_', ' ')}.")
    if len(given) > 1:
        raise Refused("Pictory takes one kind of input at a time: a first frame, a video to go on from, or references.")
    inputs: dict[str, Any] = {}
    for role, those in given.items():
        urls = [await address(prepared, WAYS, "Pictory") for prepared in those]
        inputs[INPUTS[role]] = urls if role is Role.REFERENCE else urls[0]
    return present(
        {
            "prompt": prompt(order),
            "model": order.model_id or order.model,
            "aspectRatio": order.target.aspect_ratio,
            "duration": f"{order.target.duration}s",
            **inputs,
        }
    )


def _status(told: dict[str, Any]) -> object:
    """The word for how a job stands. One that it does not know, and a failed one of old, has an error alone."""
    word = at(told, "data", "status")
    error = at(told, "data", "error_code") or at(told, "error", "error_code")
    return "failed" if word is None and told.get("success") is False and error else word


def _no_job(answer: Response) -> bool:
    """Whether it says in Pictory's shape that there is no such job; the status that goes with it is not told."""
    return bool(fields(answer)) and JOB_UNKNOWN in _reason(answer)


def _reason(answer: Response) -> str:
    """Its errors name the fields."""
    try:
        said = answer.json()
    except ProviderError:
        return plain_reason(answer)
    fields = [(at(said, "fields", number, "name"), at(said, "fields", number, "errors")) for number in range(3)]
    told = at(said, "data", "error_message") or at(said, "error", "error_message") or at(said, "message")
    parts = [told, *(f"{name}: {errors}" for name, errors in fields if name)]
    return " ".join(part for part in parts if isinstance(part, str) and part) or plain_reason(answer)
