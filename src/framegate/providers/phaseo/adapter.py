"""Phaseo (AI Stats).

Facts: its OpenAPI document and gateway source (github.com/phaseoteam/Phaseo) and the PyPI package `phaseo` 3.0.0.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from framegate.domain import Handle, Kind, Order, PreparedReference, Update
from framegate.domain.errors import OutcomeUnknown, Refused
from framegate.domain.json import as_list, at
from framegate.domain.money import reported_cost
from framegate.domain.numbers import bounded_number
from framegate.net.answers import Response
from framegate.providers.health import is_list, probe
from framegate.providers.http import (
    HttpProvider,
    earliest_arrival,
    job_list,
    prompt,
    segment,
    without_empty,
)
from framegate.providers.phaseo.model_list import records

JOB_LIST_MAX = 100
NANOS_PER_USD = 10**9
NANOS_MAX = 10**18
# Its upstream providers and the conditions of its prices compare these case-sensitively.
RESOLUTION_SPELLING = {"4K": "4k", "768p": "768P"}
# The fields of `provider.options.phaseo` that Phaseo has itself; the others go to its upstream provider.
OWN_FIELDS = frozenset({
    "input_video_duration", "input_audio_duration", "enhance_prompt", "compression_quality", "person_generation",
    "resize_mode", "debug", "beta",
})  # fmt: skip


class Phaseo(HttpProvider):
    """One account at Phaseo. Its cancel is disabled, and its list of jobs can only prove that an order is missing."""

    name = "phaseo"
    title = "Phaseo"
    base_url = "https://api.phaseo.app/v1"
    model_list_path = "videos/models"
    reference_transports = ("url", "link")  # it rejects data URLs

    def read_error(self, response: Response) -> str:
        """Its errors are flat: a code, a reason, and what is wrong with each field."""
        error = response.fields()
        details = [at(error, "details", index, "message") for index in range(3)]
        parts = [error.get("error"), error.get("reason"), *details]
        return ": ".join(part for part in parts if isinstance(part, str) and part) or super().read_error(response)

    async def submit(self, order: Order) -> Handle:
        """Submit the order."""
        body = await self.encode(order)
        response = await self.client.submit("POST", "videos", json=body, headers={"idempotency-key": order.key})
        return self.accepted(response)

    async def encode(self, order: Order) -> dict[str, Any]:
        """The order as a request body, with explicit roles: by default, the first picture is the first frame.

        Raises `Refused` if `provider_params` is not an object.
        """
        request, target = order.request, order.target
        return without_empty(
            {
                "model": order.model_id or order.model,
                "prompt": prompt(order) or None,
                "duration": target.duration,
                **_shape(order),
                "input_references": [await self._reference(prepared) for prepared in order.references],
                "generate_audio": target.audio if order.audio_is_optional else request.generate_audio,
                "seed": target.seed,
                "negative_prompt": request.negative_prompt,
                **_options(request.options.get("phaseo", {})),
            }
        )

    async def _reference(self, prepared: PreparedReference) -> dict[str, Any]:
        reference = prepared.reference
        field = "image_url" if reference.kind is Kind.IMAGE else "media_url"
        return without_empty(
            {
                "type": f"{reference.kind}_url",
                "role": reference.role.value,
                "reference_type": reference.reference_type,
                field: {"url": await self.url_of(prepared)},
            }
        )

    async def poll(self, handle: Handle) -> Update:
        """Get the job's status."""
        response = await self.client.query("GET", f"videos/{segment(handle['id'])}")
        if response.status == 404:
            return self.not_found(handle)
        job = self.job_in(response)
        has_progress = job.get("progress_source") != "none"
        return self.update(
            handle,
            job,
            status=job.get("status") or job.get("lifecycle_status"),
            files=_file_urls(job, handle),
            error=job.get("error") or job.get("reason"),
            cost_micro_usd=_cost(job),
            progress=job.get("progress") if has_progress else None,
        )

    async def models(self) -> object:
        """Phaseo's list of models, in OpenRouter's format."""
        return records(await super().models())

    async def probe(self) -> str:
        """Request the newest job of the account."""
        await probe(self.client, "videos", is_expected=is_list, params={"limit": 1})
        return "it responds and accepts the key"

    async def reconcile(self, order: Order) -> Handle | None:
        """None if the account has no job as new as the order. No field tells which order a newer job belongs to."""
        query = {"limit": JOB_LIST_MAX, "order": "desc"}
        response = await self.client.query("GET", "videos", params=query)
        jobs = job_list(response)
        since = earliest_arrival(order, response)
        if any(_time(at(job, "created_at")) >= since for job in jobs):
            raise OutcomeUnknown(
                "Phaseo has a job that may be this order, and does not report which order a job belongs to."
            )
        return None


def _shape(order: Order) -> dict[str, Any]:
    """Resolution and aspect ratio, which determine its prices; `size` only if they do not express it."""
    target, size = order.target, order.request.size
    if size and not (target.resolution and target.aspect_ratio):
        return {"size": size}
    resolution = RESOLUTION_SPELLING.get(target.resolution, target.resolution) if target.resolution else None
    return {"resolution": resolution, "aspect_ratio": target.aspect_ratio}


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    params = options.get("provider_params", {})
    if not isinstance(params, Mapping):
        raise Refused("provider.options.phaseo.provider_params must be an object.")
    own_fields = {name: value for name, value in options.items() if name in OWN_FIELDS}
    for_upstream = {name: value for name, value in options.items() if name not in {*OWN_FIELDS, "provider_params"}}
    return {**own_fields, "provider_params": {**for_upstream, **params}}


def _file_urls(job: dict[str, Any], handle: Handle) -> Iterator[str]:
    outputs = as_list(job.get("outputs"))
    indexes = [at(output, "index") for output in outputs] or [0]
    for position, index in enumerate(indexes):
        yield f"videos/{segment(handle['id'])}/content?index={index if isinstance(index, int) else position}"


def _cost(job: dict[str, Any]) -> int | None:
    """The job's cost: from its settled bill if there is one, else from its usage."""
    bill = job.get("billing")
    costs: list[int | None] = []
    if _word(at(bill, "state")) == "settled" and _word(at(bill, "currency")) in ("", "usd"):
        nanos = bounded_number(at(bill, "total_nanos"), NANOS_MAX)
        costs.append(reported_cost(at(bill, "settled_user_cost")))
        costs.append(None if nanos is None else reported_cost(nanos / NANOS_PER_USD))
    costs += [reported_cost(at(job, "usage", name)) for name in ("cost_usd", "cost")]
    return next((cost for cost in costs if cost is not None), None)


def _word(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _time(value: object) -> datetime:
    """A time as Phaseo writes it, text or Unix seconds; the maximum if it cannot be read."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=UTC)
