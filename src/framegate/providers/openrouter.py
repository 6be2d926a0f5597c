"""OpenRouter, and every server with the same API: ModelGates, other routers, another Framegate.

Facts: openrouter.ai/docs (API reference, Videos) and the PyPI package `openrouter` 1.3.84.
"""

from collections.abc import Mapping
from typing import Any

from framegate.domain import Handle, Order, PreparedReference, Role, Update
from framegate.domain.errors import OutcomeUnknown, ProviderError, Refused
from framegate.domain.json import as_list, at
from framegate.domain.money import reported_cost
from framegate.net.answers import Response
from framegate.providers.files import video_urls
from framegate.providers.health import NO_JOB, is_list, probe
from framegate.providers.http import HttpProvider, has_reference, prompt, segment, without_empty

FRAMES = (Role.FIRST_FRAME, Role.LAST_FRAME)
# The API has no field for a negative prompt; the upstream providers have options of their own for it.
GOOGLE_MODEL_PREFIX = "google/"
GOOGLE_PROVIDER = "google-vertex"
NEGATIVE_PROMPT_PROVIDERS = ("alibaba", "atlas-cloud")


class OpenRouter(HttpProvider):
    """One account at a server with OpenRouter's API.

    The service can neither stop nor list jobs. Another Framegate finds an order again by its key.
    """

    name = "openrouter"
    title = "OpenRouter"
    base_url = "https://openrouter.ai/api/v1"
    model_list_path = "videos/models"
    reference_transports = ("url", "link", "data")

    def auth_headers(self, api_key: str) -> dict[str, str]:
        """The key, and the application's name for the service's statistics."""
        return {**super().auth_headers(api_key), "x-openrouter-title": "Framegate"}

    def rejected_before_work(self, response: Response) -> bool:
        """Whether it is OpenRouter's own 503: no upstream provider meets the requirements, so none was asked.

        A 503 from a proxy in between has no such body.
        """
        return response.status == 503 and at(response.fields(), "error", "code") == 503

    async def submit(self, order: Order) -> Handle:
        """Submit the order."""
        body = await self.encode(order)
        response = await self.client.submit("POST", "videos", json=body, headers={"idempotency-key": order.key})
        return self.accepted(response, notes=_notes(order))

    async def encode(self, order: Order) -> dict[str, Any]:
        """The order as a request body. Raises `Refused` for what OpenRouter would ignore."""
        if has_reference(order, Role.SOURCE, Role.MASK):
            raise Refused("OpenRouter's video API does not accept a source video or a mask.")
        if has_reference(order, *FRAMES) and has_reference(order, Role.REFERENCE):
            raise Refused("OpenRouter ignores references next to frames. Send either frames or references.")
        request, target = order.request, order.target
        shape = {"resolution": target.resolution, "aspect_ratio": target.aspect_ratio}
        frames = [prepared for prepared in order.references if prepared.reference.role in FRAMES]
        references = [prepared for prepared in order.references if prepared.reference.role not in FRAMES]
        return without_empty(
            {
                "model": order.model_id or order.model,
                "prompt": prompt(order) or None,
                "duration": target.duration,
                **({"size": request.size} if request.size else shape),
                "frame_images": [await self._frame(frame) for frame in frames],
                "input_references": [await self._reference(reference) for reference in references],
                "generate_audio": target.audio if order.audio_is_optional else request.generate_audio,
                "seed": target.seed,
                "provider": without_empty({"options": _options(order)}),
            }
        )

    async def _frame(self, prepared: PreparedReference) -> dict[str, Any]:
        return {**await self._reference(prepared), "frame_type": prepared.reference.role.value}

    async def _reference(self, prepared: PreparedReference) -> dict[str, Any]:
        field = f"{prepared.reference.kind}_url"
        return {"type": field, field: {"url": await self.url_of(prepared)}}

    async def poll(self, handle: Handle) -> Update:
        """Get the job's status."""
        response = await self.client.query("GET", f"videos/{segment(handle['id'])}")
        if response.status == 404:
            return self.not_found(handle)
        job = self.job_in(response)
        return self.update(
            handle,
            job,
            status=job.get("status"),
            files=[_below_base_url(url, handle["id"]) for url in _file_urls(job, handle)],
            error=job.get("error") or job.get("failure_reason") or job.get("message"),
            cost_micro_usd=reported_cost(at(job, "usage", "cost")),
            progress=job.get("progress"),
        )

    async def probe(self) -> str:
        """Request a job that cannot exist, which requires the key, and the list of models, which is public."""
        await probe(self.client, f"videos/{NO_JOB}", is_expected=_is_no_such_job)
        listing = await probe(self.client, "videos/models", is_expected=is_list)
        return f"it responds, accepts the key, and lists {len(listing.fields()['data'])} video models"

    async def reconcile(self, order: Order) -> Handle | None:
        """Submit to another Framegate again with the order's key, which returns the job if there is one."""
        response = await self.client.query("GET", "openapi.json")
        try:
            if not response.ok or at(response.json(), "info", "title") != "Framegate":
                raise OutcomeUnknown
            return await self.submit(order)
        except ProviderError as error:  # no error here proves that the first submit was not accepted
            raise OutcomeUnknown(error.message) from error


def _notes(order: Order) -> list[str]:
    if order.request.negative_prompt is None or order.model.startswith(GOOGLE_MODEL_PREFIX):
        return []
    return ["The negative prompt was passed on to the upstream providers, and some of them ignore it."]


def _options(order: Order) -> dict[str, dict[str, Any]]:
    """The request's options by upstream provider, with the negative prompt in the option that each has for it."""
    options = {slug: dict(fields) for slug, fields in order.request.options.items()}
    negative = order.request.negative_prompt
    if negative is None:
        return options
    if not order.model.startswith(GOOGLE_MODEL_PREFIX):
        return options | {
            slug: {"negative_prompt": negative, **options.get(slug, {})} for slug in NEGATIVE_PROMPT_PROVIDERS
        }
    google = options.get(GOOGLE_PROVIDER, {})
    parameters = google.get("parameters", {})
    if not isinstance(parameters, Mapping):
        raise Refused(f"provider.options.{GOOGLE_PROVIDER}.parameters must be an object.")
    return {**options, GOOGLE_PROVIDER: {**google, "parameters": {"negativePrompt": negative, **parameters}}}


def _file_urls(job: dict[str, Any], handle: Handle) -> list[str]:
    """The URLs of the finished files; those that require the key come first, because they expire last."""
    for name in ("unsigned_urls", "urls"):
        if urls := [url for url in as_list(job.get(name)) if isinstance(url, str) and url]:
            return urls
    return video_urls(job) or [f"videos/{segment(handle['id'])}/content?index=0"]


def _below_base_url(url: str, job_id: str) -> str:
    """The URL relative to the account's base URL if it is the job's own content, which requires the key.

    A service behind a proxy names its own origin there, which does not get the key.
    """
    path, mark, query = url.partition("?")
    content = f"videos/{segment(job_id)}/content"
    is_own = path.endswith((f"/{content}", f"/videos/{job_id}/content"))
    return f"{content}{mark}{query}" if is_own else url


def _is_no_such_job(response: Response) -> bool:
    """Whether it is the service's error for an unknown job."""
    return response.status in (400, 404, 410) and "error" in response.fields()


class ModelGates(OpenRouter):
    """One account at ModelGates, which has OpenRouter's API."""

    name = "modelgates"
    title = "ModelGates"
    base_url = "https://modelgates.ai/api/v1"
