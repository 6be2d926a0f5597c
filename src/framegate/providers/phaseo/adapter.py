"""Phaseo (AI Stats).

Facts: its OpenAPI document and gateway source (github.com/phaseoteam/Phaseo) and the PyPI package `phaseo` 3.0.0.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from framegate.domain import Done, Handle, Kind, Order, PreparedReference, ProviderFile, Update
from framegate.domain.errors import OutcomeUnknown, ProviderError, Refused
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.net.vendor_client import Response, VendorClient, at, plain_reason
from framegate.providers.health import lists, look
from framegate.providers.http import (
    HttpProvider,
    failure,
    job_id_from,
    listed,
    made_at,
    micro_usd,
    present,
    prompt,
)
from framegate.providers.phaseo.model_list import records
from framegate.providers.references import ReferenceTransport, address

BASE_URL = "https://api.phaseo.app/v1"
WAYS: tuple[ReferenceTransport, ...] = ("url", "link")  # data URLs are refused
LISTED_MAX = 100
SKEW = timedelta(minutes=5)  # how far its clock may be from ours
NANOS_IN_MICRO = 1000
# Its upstreams read these letter by letter, and so do the conditions of its prices.
SPELT = {"4K": "4k", "768p": "768P"}
# What it has a field of its own for; all else of `provider.options.phaseo` goes to who serves the model.
FIELDS = frozenset({
    "input_video_duration", "input_audio_duration", "enhance_prompt", "compression_quality", "person_generation",
    "resize_mode", "debug", "beta",
})  # fmt: skip


class Phaseo(HttpProvider):
    """One account at Phaseo. Its cancel is switched off; a listing tells only that an order was never taken."""

    name = "phaseo"
    reference_transports: ClassVar[tuple[ReferenceTransport, ...]] = WAYS
    status_map: ClassVar[Mapping[str, str]] = {"queued": "queued", "processing": "running", "in_progress": "running"}

    def __init__(
        self, account: str, api_key: str, base_url: str = BASE_URL, *, machine: Machine = REAL_MACHINE
    ) -> None:
        upstream = VendorClient(
            base_url, headers={"authorization": f"Bearer {api_key}"}, name="Phaseo", reason=_reason, machine=machine
        )
        super().__init__(upstream, account=account, api_key=api_key)
        self.model_list_url = f"{upstream.base_url}/videos/models"

    async def submit(self, order: Order) -> Handle:
        """Place the order."""
        sent = await body(order)
        answer = await self.upstream.submit("POST", "videos", json=sent, headers={"idempotency-key": order.key})
        return self.handle_of(job_id_from(answer, "id"))

    async def poll(self, handle: Handle) -> Update:
        """Look at the job."""
        answer = await self.upstream.query("GET", f"videos/{handle['id']}")
        if answer.status == 404:
            return self.unknown(handle)
        if not answer.ok:
            raise ProviderError(self.upstream.error_message(answer))
        job = answer.object()
        match job.get("status"):
            case "completed":
                return Done(
                    outputs=tuple(self._files(job, handle)),
                    cost_micro_usd=_cost(job),
                    metadata=self.public_metadata(job),
                )
            case "failed" | "cancelled" | "expired" as word:
                return failure(_why(job), code=f"provider_{word}")
            case word:
                told = job.get("progress_source") != "none"
                return self.running(str(word), job.get("progress") if told else None)

    async def models(self) -> object:
        """What Phaseo lists of its models."""
        answer = await self.upstream.query("GET", "videos/models")
        if not answer.ok:
            raise ProviderError(self.upstream.error_message(answer))
        return records(at(answer.json(), "data"))

    async def probe(self) -> str:
        """Look at the newest of the account's jobs."""
        await look(self.upstream, "videos", known=lists, params={"limit": 1})
        return "it answers, and takes the key"

    async def reconcile(self, order: Order) -> Handle | None:
        """None where the account has no job as new as the order; which job it would be, nothing tells."""
        query = {"limit": LISTED_MAX, "order": "desc"}
        answer = await self.upstream.query("GET", "videos", params=query)
        since = made_at(order) - SKEW
        if any(_time(at(job, "created_at")) >= since for job in listed(answer)):
            raise OutcomeUnknown(
                "Phaseo has a job that is new enough to be this order, and nothing tells whether it is."
            )
        return None

    def _files(self, job: dict[str, Any], handle: Handle) -> list[ProviderFile]:
        count = len(job["outputs"]) if isinstance(job.get("outputs"), list) else 0
        indexes = [at(job, "outputs", number, "index") for number in range(count)] or [0]
        return [
            self.made(f"videos/{handle['id']}/content?index={index if isinstance(index, int) else number}")
            for number, index in enumerate(indexes)
        ]


async def body(order: Order) -> dict[str, Any]:
    """The order in Phaseo's words. Every role is said: left out, Phaseo makes the first picture the first frame.

    Raises `Refused` for `provider_params` that are no object.
    """
    request, target = order.request, order.target
    return present(
        {
            "model": order.model_id or order.model,
            "prompt": prompt(order) or None,
            "duration": target.duration,
            **_shape(order),
            "input_references": [await _reference(prepared) for prepared in order.references],
            "generate_audio": target.audio if order.audio_is_optional else request.generate_audio,
            "seed": target.seed,
            "negative_prompt": request.negative_prompt,
            **_options(request.options.get("phaseo", {})),
        }
    )


def _shape(order: Order) -> dict[str, Any]:
    """Resolution and ratio, which its prices go by; `size` only where it does not stand for both."""
    target, size = order.target, order.request.size
    if size and not (target.resolution and target.aspect_ratio):
        return {"size": size}
    resolution = SPELT.get(target.resolution, target.resolution) if target.resolution else None
    return {"resolution": resolution, "aspect_ratio": target.aspect_ratio}


def _options(said: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in said.items() if name in FIELDS}
    inner = said.get("provider_params", {})
    if not isinstance(inner, Mapping):
        raise Refused("provider.options.phaseo.provider_params must be an object.")
    rest = {name: value for name, value in said.items() if name not in FIELDS and name != "provider_params"}
    return {**own, "provider_params": {**rest, **inner}}


async def _reference(prepared: PreparedReference) -> dict[str, Any]:
    reference = prepared.reference
    field = "image_url" if reference.kind is Kind.IMAGE else "media_url"
    place = {field: {"url": await address(prepared, WAYS, "Phaseo")}}
    return present(
        {
            "type": f"{reference.kind}_url",
            "role": reference.role.value,
            "reference_type": reference.reference_type,
            **place,
        }
    )


def _cost(job: dict[str, Any]) -> int | None:
    """What the job cost, from its settled bill where there is one, else as its usage says."""
    bill = job.get("billing")
    if at(bill, "state") == "settled":
        user = micro_usd(at(bill, "settled_user_cost")) if at(bill, "currency") in (None, "USD") else None
        nanos = at(bill, "total_nanos")
        if user is not None or isinstance(nanos, int):
            return round(nanos / NANOS_IN_MICRO) if user is None else user
    cost = micro_usd(at(job, "usage", "cost_usd"))
    return micro_usd(at(job, "usage", "cost")) if cost is None else cost


def _why(job: dict[str, Any]) -> object:
    error = job.get("error")
    return at(error, "message") or at(error, "reason") or error


def _time(value: object) -> datetime:
    """A time as Phaseo writes it, a text or Unix seconds; the end of time for one that cannot be read."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=UTC)


def _reason(answer: Response) -> str:
    """Its errors are flat: a code, a reason, and what is wrong with each field."""
    try:
        said = answer.json()
    except ProviderError:
        return plain_reason(answer)
    details = [at(said, "details", number, "message") for number in range(3)]
    parts = [at(said, "error"), at(said, "reason"), *details]
    return ": ".join(part for part in parts if isinstance(part, str) and part) or plain_reason(answer)
