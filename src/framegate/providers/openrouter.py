"""OpenRouter, and every server of its shape: ModelGates, other routers, another Framegate.

Facts: openrouter.ai/docs (API reference, Videos) and the PyPI package `openrouter` 1.3.84.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from framegate.domain import Done, Handle, Kind, Order, PreparedReference, Role, Update
from framegate.domain.errors import OutcomeUnknown, ProviderError, Refused
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.net.vendor_client import Response, VendorClient, at
from framegate.providers.health import NO_JOB, fields, lists, look
from framegate.providers.http import HttpProvider, failure, has, job_id_from, micro_usd, present, prompt
from framegate.providers.references import ReferenceTransport, address

BASE_URL = "https://openrouter.ai/api/v1"
WAYS: tuple[ReferenceTransport, ...] = ("url", "link", "data")
FRAMES = (Role.FIRST_FRAME, Role.LAST_FRAME)
# The shape has no field for a negative prompt: who serves the model is told of it in his own words.
GOOGLE = "google/"
NEGATIVE_GOOGLE = "google-vertex"
NEGATIVE_OTHERS = ("alibaba", "atlas-cloud")


class OpenRouter(HttpProvider):
    """One account at a server of OpenRouter's shape.

    The service has no way to stop a job or to list jobs. Another Framegate knows an order again by its key.
    """

    name = "openrouter"
    reference_transports: ClassVar[tuple[ReferenceTransport, ...]] = WAYS
    status_map: ClassVar[Mapping[str, str]] = {
        "pending": "queued",
        "queued": "queued",
        "in_progress": "running",
        "processing": "running",
    }

    def __init__(
        self,
        account: str,
        api_key: str,
        base_url: str = BASE_URL,
        *,
        name: str = "openrouter",
        title: str = "OpenRouter",
        machine: Machine = REAL_MACHINE,
    ) -> None:
        headers = {"authorization": f"Bearer {api_key}", "x-openrouter-title": "Framegate"}
        upstream = VendorClient(base_url, headers=headers, name=title, not_made=_nobody_asked, machine=machine)
        super().__init__(upstream, account=account, api_key=api_key)
        self.name = name
        self.model_list_url = f"{upstream.base_url}/videos/models"

    async def submit(self, order: Order) -> Handle:
        """Place the order."""
        sent = await body(order)
        answer = await self.upstream.submit("POST", "videos", json=sent, headers={"idempotency-key": order.key})
        return self.handle_of(job_id_from(answer, "id"), notes=_notes(order))

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
                    outputs=tuple(self.made(_here(url, handle["id"])) for url in _files(job, handle)),
                    cost_micro_usd=micro_usd(at(job, "usage", "cost")),
                    notes=tuple(handle.get("notes", ())),
                    metadata=self.public_metadata(job),
                )
            case "failed" | "cancelled" | "expired" as word:
                return failure(job.get("error"), code=f"provider_{word}")
            case word:
                return self.running(str(word), job.get("progress"))

    async def models(self) -> object:
        """What the service lists of its models."""
        answer = await self.upstream.query("GET", "videos/models")
        if not answer.ok:
            raise ProviderError(self.upstream.error_message(answer))
        return at(answer.json(), "data")

    async def probe(self) -> str:
        """Look for a job that cannot be there, which asks for the key, and at the list of models, which is public."""
        await look(self.upstream, f"videos/{NO_JOB}", known=_no_job)
        listing = await look(self.upstream, "videos/models", known=lists)
        return f"it answers, takes the key, and lists {len(fields(listing)['data'])} video models"

    async def reconcile(self, order: Order) -> Handle | None:
        """Ask another Framegate again by the order's key, which it answers with the job that stands."""
        answer = await self.upstream.query("GET", "openapi.json")
        try:
            if not answer.ok or at(answer.json(), "info", "title") != "Framegate":
                raise OutcomeUnknown
            return await self.submit(order)
        except ProviderError as error:  # whatever it is, it is no certain no
            raise OutcomeUnknown(error.message) from error


async def body(order: Order) -> dict[str, Any]:
    """The order in OpenRouter's words. Raises `Refused` for what it would silently leave out."""
    if has(order, Role.SOURCE, Role.MASK):
        raise Refused("OpenRouter's video API has no place for a source video or a mask.")
    if has(order, *FRAMES) and has(order, Role.REFERENCE):
        raise Refused("OpenRouter ignores references where there are frames. Send the ones or the others.")
    request, target = order.request, order.target
    shape = {"resolution": target.resolution, "aspect_ratio": target.aspect_ratio}
    options = {slug: dict(fields) for slug, fields in request.options.items()}
    return present(
        {
            "model": order.model_id or order.model,
            "prompt": prompt(order) or None,
            "duration": target.duration,
            **({"size": request.size} if request.size else shape),
            "frame_images": [await _frame(one) for one in order.references if one.reference.role in FRAMES],
            "input_references": [await _reference(one) for one in order.references if one.reference.role not in FRAMES],
            "generate_audio": target.audio if order.audio_is_optional else request.generate_audio,
            "seed": target.seed,
            "provider": present({"options": _with_negative(options, order)}),
        }
    )


async def _frame(prepared: PreparedReference) -> dict[str, Any]:
    return {**await _picture(prepared), "frame_type": prepared.reference.role.value}


async def _reference(prepared: PreparedReference) -> dict[str, Any]:
    if prepared.reference.kind is Kind.IMAGE:
        return await _picture(prepared)
    kind = f"{prepared.reference.kind}_url"
    return {"type": kind, kind: {"url": await address(prepared, WAYS, "the service")}}


async def _picture(prepared: PreparedReference) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": await address(prepared, WAYS, "the service")}}


def _notes(order: Order) -> list[str]:
    if order.request.negative_prompt is None or order.model.startswith(GOOGLE):
        return []
    return ["The negative prompt was handed on to those who serve the model, and not all of them read it."]


def _with_negative(options: dict[str, dict[str, Any]], order: Order) -> dict[str, dict[str, Any]]:
    negative = order.request.negative_prompt
    if negative is None:
        return options
    if order.model.startswith(GOOGLE):
        google = options.get(NEGATIVE_GOOGLE, {})
        parameters = google.get("parameters", {})
        if not isinstance(parameters, Mapping):
            raise Refused(f"provider.options.{NEGATIVE_GOOGLE}.parameters must be an object.")
        return {**options, NEGATIVE_GOOGLE: {**google, "parameters": {"negativePrompt": negative, **parameters}}}
    return options | {slug: {"negative_prompt": negative, **options.get(slug, {})} for slug in NEGATIVE_OTHERS}


def _files(job: dict[str, Any], handle: Handle) -> list[str]:
    """Where the finished files lie; the addresses that need the key come first, since they work the longest."""
    urls = job.get("unsigned_urls") or job.get("urls") or [f"videos/{handle['id']}/content?index=0"]
    found = cast("list[Any]", urls) if isinstance(urls, list) else []
    if not found or not all(isinstance(url, str) for url in found):
        raise ProviderError("The addresses of the finished files cannot be read.")
    return found


def _here(url: str, job_id: str) -> str:
    """The address under the account's base URL where it is the job's own content, which asks for the key.

    A service behind a proxy calls its content by its own origin, and the key does not go there.
    """
    path, mark, query = url.partition("?")
    content = f"videos/{job_id}/content"
    return f"{content}{mark}{query}" if path.endswith(f"/{content}") else url


def _no_job(answer: Response) -> bool:
    """Whether it says in the service's shape that there is no such job."""
    return answer.status in (400, 404, 410) and "error" in fields(answer)


def _nobody_asked(answer: Response) -> bool:
    """Whether it is OpenRouter's own 503: no provider meets the request's requirements, so none was asked.

    A 503 of anything that stands between has no such body.
    """
    try:
        return answer.status == 503 and at(answer.json(), "error", "code") == 503
    except ProviderError:
        return False
