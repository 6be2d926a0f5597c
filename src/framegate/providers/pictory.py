"""Pictory AI Studio. Facts: docs.pictory.ai (AI Studio: generate video; Jobs: get video job)."""

from decimal import Decimal
from typing import Any

from framegate.domain import Handle, Order, PreparedReference, Role, Update
from framegate.domain.errors import Refused
from framegate.domain.json import as_object, at
from framegate.domain.money import reported_cost
from framegate.domain.numbers import bounded_number
from framegate.net.answers import Response
from framegate.providers.health import NO_JOB, probe
from framegate.providers.http import (
    HttpProvider,
    dropped_option_notes,
    prompt,
    segment,
    without_empty,
)
from framegate.providers.statuses import FAILED

# It accepts one kind of input per order, each in its own field.
FIELD_BY_ROLE = {
    Role.FIRST_FRAME: "firstFrameImageUrl",
    Role.SOURCE: "extendVideoUrl",
    Role.REFERENCE: "referenceImageUrls",
}
JOB_NOT_FOUND = "JOB_NOT_FOUND"
CREDITS_MAX = 10**6  # of one job; a larger number is not read


class Pictory(HttpProvider):
    """One account at Pictory. It can neither stop nor list jobs, and bills in credits without a fixed price.

    `usd_per_credit` is the price of a credit on the account's plan, if the operator has set it.
    """

    name = "pictory"
    title = "Pictory"
    base_url = "https://api.pictory.ai/pictoryapis"
    reference_transports = ("url", "link")
    order_id_path = ("data", "jobId")
    poll_seconds = 15.0  # it asks for 10 to 30
    usd_per_credit: Decimal | None = None

    def auth_headers(self, api_key: str) -> dict[str, str]:
        """The key, without a scheme."""
        return {"authorization": api_key}

    def read_error(self, response: Response) -> str:
        """Its message, and what is wrong with each field."""
        error = response.fields()
        rows = [(at(error, "fields", index, "name"), at(error, "fields", index, "errors")) for index in range(3)]
        message = at(error, "data", "error_message") or at(error, "error", "error_message") or at(error, "message")
        parts = [message, *(f"{name}: {errors}" for name, errors in rows if name)]
        return " ".join(part for part in parts if isinstance(part, str) and part) or super().read_error(response)

    async def submit(self, order: Order) -> Handle:
        """Submit the order."""
        body = await self.encode(order)
        headers = {"idempotency-key": order.key}
        response = await self.client.submit("POST", "v1/aistudio/videos", json=body, headers=headers)
        notes = dropped_option_notes("Pictory", generate_audio=order.request.generate_audio)
        return self.accepted(response, notes=notes)

    async def encode(self, order: Order) -> dict[str, Any]:
        """The order as a request body. Raises `Refused` for several kinds of input."""
        references: dict[Role, list[PreparedReference]] = {}
        for prepared in order.references:
            references.setdefault(prepared.reference.role, []).append(prepared)
        if unsupported := [role for role in references if role not in FIELD_BY_ROLE]:
            raise Refused(f"Pictory does not accept a {unsupported[0].replace('_', ' ')}.")
        if len(references) > 1:
            raise Refused(
                "Pictory accepts one kind of input per order: a first frame, a video to extend, or references."
            )
        inputs: dict[str, Any] = {}
        for role, items in references.items():
            urls = [await self.url_of(prepared) for prepared in items]
            inputs[FIELD_BY_ROLE[role]] = urls if role is Role.REFERENCE else urls[0]
        return without_empty(
            {
                "prompt": prompt(order),
                "model": order.model_id or order.model,
                "aspectRatio": order.target.aspect_ratio,
                "duration": f"{order.target.duration}s",
                **inputs,
            }
        )

    async def poll(self, handle: Handle) -> Update:
        """Get the job's status."""
        response = await self.client.query("GET", f"v1/jobs/{segment(handle['id'])}")
        is_unknown = JOB_NOT_FOUND in self.read_error(response)
        if response.status == 404 or (not response.ok and is_unknown):
            return self.not_found(handle)
        answer = self.client.require_ok(response).object()
        job, status = as_object(answer.get("data")), _status(answer)
        if is_unknown and self.meaning_of(status) == FAILED:
            return self.not_found(handle)
        url, credit = job.get("url"), bounded_number(job.get("aiCreditsUsed"), CREDITS_MAX)
        return self.update(
            handle,
            job,
            status=status,
            files=[url] if isinstance(url, str) and url else [],
            error=_error(answer),
            cost_micro_usd=self._cost(credit),
            notes=[] if credit is None else [f"Pictory charged {credit:f} AI credit{'' if credit == 1 else 's'}."],
        )

    async def probe(self) -> str:
        """Request a job that cannot exist."""
        await probe(self.client, f"v1/jobs/{NO_JOB}", is_expected=self._is_no_such_job)
        return "it responds and accepts the key"

    def _is_no_such_job(self, response: Response) -> bool:
        """Whether it is Pictory's error for an unknown job, whose status is not documented."""
        return bool(response.fields()) and JOB_NOT_FOUND in self.read_error(response)

    def _cost(self, credit: Decimal | None) -> int | None:
        return None if self.usd_per_credit is None or credit is None else reported_cost(credit * self.usd_per_credit)


def _error(answer: dict[str, Any]) -> object:
    """The job's error, at the places where Pictory has it."""
    job = answer.get("data")
    message = at(job, "error_message") or at(answer, "error", "error_message") or at(job, "error")
    code = at(job, "error_code") or at(answer, "error", "error_code")
    return without_empty({"message": message, "error_code": code})


def _status(answer: dict[str, Any]) -> object:
    """The job's status. An unknown job, and one that failed long ago, has an error instead."""
    status = at(answer, "data", "status")
    error = at(answer, "data", "error_code") or at(answer, "error", "error_code")
    return FAILED if status is None and answer.get("success") is False and error else status
