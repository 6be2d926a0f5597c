"""fal's queue.

Facts: fal.ai/docs (Inference API: queue) and the packages fal-client 1.0.3 (PyPI) and @fal-ai/client 1.10.1 (npm).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast
from urllib.parse import quote

from framegate.catalogue.fal_schema import Endpoint, app_of, endpoint_for, endpoints
from framegate.domain import Failed, Handle, Order, PreparedReference, Role, Running, Update
from framegate.domain.errors import NotSent, ProviderError, Refused
from framegate.domain.json import as_list, as_object, at
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.domain.numbers import bounded_number
from framegate.net.answers import Response, find_error
from framegate.net.vendor_client import VendorClient
from framegate.providers.fal.input import build_input
from framegate.providers.fal.webhook import FalWebhookVerifier
from framegate.providers.health import NO_JOB, probe
from framegate.providers.http import HttpProvider, failure, has_reference, segment
from framegate.providers.statuses import COMPLETED, ENDED, QUEUED

REST_URL, CDN_URL = "https://rest.fal.ai", "https://v3.fal.media"  # upload tokens and webhook keys; uploads
UPLOAD_BYTES_MAX = 90 * 2**20  # a larger file needs a multipart upload
UPLOAD_SECONDS_MAX = 300.0
IN_PROGRESS_DETAIL = "Request is still in progress"
# Our code for fal's error types; `provider_failed` for all others.
CODES = {"content_policy_violation": "content_refused", "client_cancelled": "provider_cancelled"}
# The models with an endpoint per task, which a client may name; any other endpoint is a model of its own.
MODELS_WITH_TASKS = ("fal-ai/wan-vace-14b", "fal-ai/wan-22-vace-fun-a14b")
# The endpoint for an order with a mask, which the model's own endpoint ignores.
MASK_ENDPOINTS = {
    "fal-ai/wan-vace-14b": "fal-ai/wan-vace-14b/inpainting",
    "fal-ai/wan-22-vace-fun-a14b/pose": "fal-ai/wan-22-vace-fun-a14b/inpainting",
}
BILLABLE_UNITS_MAX = 10**9  # a larger number is not read
QUEUE_POSITION_MAX = 10**6
PROBE_APP = "fal-ai/veo3.1"
CANCELLED_TYPE = "client_cancelled"
CANCELLATION_REQUESTED = "CANCELLATION_REQUESTED"
NOT_CANCELLED = ("ALREADY_COMPLETED", "NOT_FOUND")
ACCOUNT_STATUSES = (401, 402, 403)  # a revoked key, an empty balance: unrelated to the video
# Error types of fal's infrastructure: the model did not see the request, so a retry may succeed.
RETRYABLE_TYPE_PREFIXES = (
    "runner_", "request_timeout", "startup_timeout", "internal_", "downstream_service_unavailable",
)  # fmt: skip


class Fal(HttpProvider):
    """One account at fal. Files that fal cannot download are uploaded. fal does not report what a request cost."""

    name = "fal"
    title = "fal"
    base_url = "https://queue.fal.run"
    reference_transports = ("url", "link", "upload")
    status_map: ClassVar[Mapping[str, str]] = {"IN_QUEUE": "queued", "IN_PROGRESS": "running"}
    order_id_path = ("request_id",)
    poll_seconds = 5.0
    sends_webhooks = True

    def __init__(self, account: str, api_key: str = "", base_url: str = "", *, machine: Machine = REAL_MACHINE) -> None:
        # fal has a host per service; elsewhere, as at another Framegate, they are folders of one base URL.
        queue_url, rest_url, cdn_url = self.base_url, REST_URL, CDN_URL
        if base_url and (base_url := base_url.rstrip("/")) != self.base_url:
            queue_url, rest_url, cdn_url = (f"{base_url}/{service}" for service in ("queue", "rest", "cdn"))
        super().__init__(account, api_key, queue_url, machine=machine)
        self._rest_client = VendorClient(rest_url, headers=self.auth_headers(api_key), name=self.title, machine=machine)
        self._cdn_client = VendorClient(cdn_url, headers={}, name=self.title, machine=machine)
        self._verifier = FalWebhookVerifier(self._rest_client)

    def auth_headers(self, api_key: str) -> dict[str, str]:
        """The key, with fal's own scheme."""
        return {"authorization": f"Key {api_key}"}

    @property
    def clients(self) -> Sequence[VendorClient]:
        """The clients of fal's queue, of its uploads, and of its file store."""
        return self.client, self._rest_client, self._cdn_client

    async def submit(self, order: Order) -> Handle:
        """Submit the order, after an upload of the references that fal cannot download."""
        endpoint = endpoint_of(order)
        urls = [await self.url_of(prepared) for prepared in order.references]
        body, notes = build_input(endpoint, order, urls)
        query = {"fal_webhook": order.webhook} if order.webhook else {}
        response = await self.client.submit("POST", endpoint.id, json=body, headers=_headers(order), params=query)
        return self.accepted(response, app=app_of(endpoint.id), notes=notes)

    async def verify_webhook(self, headers: Mapping[str, str], raw: bytes, *, now: float) -> str | None:
        """The id of the request that a webhook of fal is about."""
        return await self._verifier.verify(headers, raw, now=now)

    async def poll(self, handle: Handle) -> Update:
        """Get the request's status, and its result once it has one."""
        path = _path(handle)
        response = await self.client.query("GET", f"{path}/status")
        if response.status == 404:
            return self.not_found(handle)
        status = self.client.require_ok(response).object()
        meaning = self.meaning_of(status.get("status"))
        if meaning not in ENDED and (meaning is not None or not status.get("error")):
            return self._waiting(status)
        result = await self.client.query("GET", path, any_status=True)
        if result.ok and not status.get("error") and (meaning == COMPLETED or any(_video_urls(result.fields()))):
            return self._finished(result, handle)
        if result.status == 404 and not status.get("error"):  # results expire after an hour, large ones after minutes
            return self.not_found(handle)
        return self._failed(status, result)

    async def cancel(self, handle: Handle) -> bool:
        """Remove the request from the queue, or ask its runner to stop and check whether it did."""
        path = _path(handle)
        response = await self.client.query("PUT", f"{path}/cancel")
        status = response.fields().get("status")
        if not response.ok or status in NOT_CANCELLED:
            return False
        if response.status != 202 and status != CANCELLATION_REQUESTED:
            return True
        response = await self.client.query("GET", f"{path}/status")
        return response.ok and at(response.json(), "error_type") == CANCELLED_TYPE

    async def probe(self) -> str:
        """Request a job that cannot exist."""
        await probe(self.client, f"{PROBE_APP}/requests/{NO_JOB}/status", is_expected=_is_fal_response)
        return "it responds and accepts the key"

    def _waiting(self, status: dict[str, Any]) -> Running:
        running = self.running(status.get("status"))
        position = bounded_number(status.get("queue_position"), QUEUE_POSITION_MAX) or 0
        is_behind = running.stage == QUEUED and position > 0
        return Running(stage=f"queued, {int(position)} ahead") if is_behind else running

    def _finished(self, result: Response, handle: Handle) -> Update:
        output = result.json()
        units = bounded_number(result.headers.get("x-fal-billable-units"), BILLABLE_UNITS_MAX)
        notes = [] if units is None else [f"Billable units at fal: {units:f}."]
        return self.done(handle, _video_urls(as_object(output)), output, notes=notes)

    def _failed(self, status: dict[str, Any], result: Response) -> Update:
        """The end of a failed request: the status may have an error, and the result is the model's own response."""
        body = result.fields()
        detail = body.get("detail")
        if detail == IN_PROGRESS_DETAIL:
            return self.running("IN_PROGRESS")
        types = (at(detail, 0, "type"), body.get("error_type"), result.headers.get("x-fal-error-type"))
        texts = (kind for kind in (*types, status.get("error_type")) if isinstance(kind, str))
        error_type = next(filter(None, texts), "")
        # Without an error type, such a status is about this poll and not about the job.
        is_poll_error = (result.status in ACCOUNT_STATUSES or result.status >= 500) and not error_type
        has_failed = bool(status.get("error")) or self.meaning_of(status.get("status")) != COMPLETED
        if not has_failed and (detail is None or is_poll_error):
            raise ProviderError(self.client.error_message(result))
        return _failure_from(detail or status.get("error"), error_type)

    async def url_of(self, prepared: PreparedReference) -> str:
        """The URL of a reference, after an upload if fal cannot download it."""
        try:
            return await super().url_of(prepared)
        except Refused:
            return await self._upload(prepared)

    async def _upload(self, prepared: PreparedReference) -> str:
        """Upload a file to fal's CDN and return its URL. Raises `NotSent` or `Refused`."""
        media_type, size_bytes = prepared.blob.media_type, prepared.blob.size_bytes
        if size_bytes > UPLOAD_BYTES_MAX:
            raise Refused(f"A file of {size_bytes:,} bytes is too large to upload to fal.")
        data = await self.read(prepared)
        query = {"storage_type": "fal-cdn-v3"}
        rejection: Response | None = None
        try:
            token = await self._rest_client.query("POST", "storage/auth/token", params=query, json={})
            if not token.ok:
                rejection = token
            else:
                headers = {
                    "authorization": f"{at(token.json(), 'token_type')} {at(token.json(), 'token')}",
                    "content-type": media_type,
                    "x-fal-file-name": f"reference.{media_type.rpartition('/')[2]}",
                }
                upload = await self._cdn_client.query(
                    "POST", "files/upload", content=data, headers=headers, seconds_max=UPLOAD_SECONDS_MAX
                )
                url = at(upload.json(), "access_url") if upload.ok else None
                if isinstance(url, str):
                    return url
        except Refused:
            raise
        except ProviderError as error:
            raise NotSent(f"A reference could not be uploaded, so no order was placed. {error.message}") from error
        reason = f" {self._rest_client.error_message(rejection)}" if rejection else ""
        message = f"fal rejected the upload of a reference, so no order was placed.{reason}"
        raise Refused(message, status=rejection.status if rejection else None)


def endpoint_of(order: Order) -> Endpoint:
    """The endpoint that the client named, if the model has one per task; else the model's that takes the references."""
    requested, endpoint = order.request.model, order.model_id
    if requested in endpoints() and app_of(requested) == app_of(endpoint) and app_of(endpoint) in MODELS_WITH_TASKS:
        return endpoints()[requested]
    if has_reference(order, Role.MASK) and "task" not in order.request.options.get("fal", {}):
        endpoint = MASK_ENDPOINTS.get(endpoint, endpoint)
    places = {(prepared.reference.role, prepared.reference.kind) for prepared in order.references}
    described = endpoint_for(endpoint, places)
    if described is None:
        raise Refused(f"Unknown fal endpoint: `{endpoint}`. Its input is not described in the catalogue.")
    return described


def _headers(order: Order) -> dict[str, str]:
    policy = order.request.policy
    return {
        "idempotency-key": order.key,
        "x-fal-disable-fallbacks": "true",  # a fallback would make the video with another model
        **({"x-fal-queue-priority": "low"} if policy.low_priority else {}),
        **({} if policy.retry else {"x-fal-no-retry": "1"}),
    }


def _path(handle: Handle) -> str:
    return f"{quote(handle['app'])}/requests/{segment(handle['id'])}"


def _is_fal_response(response: Response) -> bool:
    """Whether it has the form of fal's responses; the status for an unknown request is not documented."""
    return response.status < 500 and bool({"detail", "status"} & response.fields().keys())


def _video_urls(output: dict[str, Any]) -> Iterator[str]:
    """The URLs of the videos in an endpoint's output."""
    videos = output.get("videos") or [output.get("video")]
    for video in cast("list[Any]", videos) if isinstance(videos, list) else [videos]:
        url = video if isinstance(video, str) else at(video, "url")
        if isinstance(url, str):
            yield url


def _failure_from(detail: Any, error_type: str) -> Failed:  # noqa: ANN401 - a JSON value
    sentences = " ".join(filter(None, map(_sentence, as_list(detail)[:3])))
    error = {"message": sentences or detail, "code": error_type}
    return failure(error, code=CODES.get(error_type, ""), retryable=error_type.startswith(RETRYABLE_TYPE_PREFIXES))


def _sentence(problem: object) -> str:
    """One problem of a model's response, with the field."""
    field = ".".join(str(part) for part in as_list(at(problem, "loc"))[1:5] if isinstance(part, str | int))
    message = find_error(problem).message
    return f"{field}: {message}" if field and message else message
