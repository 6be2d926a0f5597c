"""fal's queue.

Facts: fal.ai/docs (Inference API: queue) and the packages fal-client 1.0.3 (PyPI) and @fal-ai/client 1.10.1 (npm).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast
from urllib.parse import quote

import anyio

from framegate.catalogue.fal_schema import Endpoint, app_of, endpoints
from framegate.domain import Done, Failed, Handle, Order, PreparedReference, Role, Running, Update
from framegate.domain.errors import NotSent, ProviderError, Refused
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.net.vendor_client import Response, VendorClient, at
from framegate.providers.fal.input import build_input
from framegate.providers.fal.webhook import FalWebhookVerifier
from framegate.providers.health import NO_JOB, fields, look
from framegate.providers.http import HttpProvider, failure, has, job_id_from
from framegate.providers.references import ReferenceTransport, address

BASE_URL = "https://queue.fal.run"
PARTS = (BASE_URL, "https://rest.fal.ai", "https://v3.fal.media")  # the queue, uploads' tokens, uploads
UPLOAD_BYTES_MAX = 90 * 2**20  # a larger file would have to go up in parts
UPLOAD_SECONDS_MAX = 300.0
UNFINISHED = "Request is still in progress"
# The types of fal's errors that have a code of their own here; the others are `provider_failed`.
CODES = {"content_policy_violation": "content_refused", "client_cancelled": "provider_cancelled"}
# The models that have an endpoint for every task; any other endpoint is a model of its own.
VARIED = ("fal-ai/wan-vace-14b", "fal-ai/wan-22-vace-fun-a14b")
# Where a mask is painted in: the task of the model's own endpoint, unless another is named, would leave it out.
MASKED = {
    "fal-ai/wan-vace-14b": "fal-ai/wan-vace-14b/inpainting",
    "fal-ai/wan-22-vace-fun-a14b/pose": "fal-ai/wan-22-vace-fun-a14b/inpainting",
}
ASKED = "fal-ai/veo3.1"  # where a request is looked for that is none
STOPPED = "client_cancelled"
ASKED_TO_STOP, NOT_STOPPED = "CANCELLATION_REQUESTED", ("ALREADY_COMPLETED", "NOT_FOUND")
OF_THE_ACCOUNT = (401, 402, 403)  # a key that was taken back, an empty balance: no word about the video
# The model never judged the request: asked again, it may well be made.
PASSING = ("runner_", "request_timeout", "startup_timeout", "internal_", "downstream_service_unavailable")


class Fal(HttpProvider):
    """One account at fal. Files are uploaded where fal cannot fetch them; what a request cost, fal does not tell."""

    name = "fal"
    poll_seconds = 5.0
    sends_webhooks = True
    reference_transports: ClassVar[tuple[ReferenceTransport, ...]] = ("url", "link", "upload")
    status_map: ClassVar[Mapping[str, str]] = {"IN_QUEUE": "queued", "IN_PROGRESS": "running"}

    def __init__(
        self, account: str, api_key: str, base_url: str = BASE_URL, *, machine: Machine = REAL_MACHINE
    ) -> None:
        key = {"authorization": f"Key {api_key}"}
        # fal has a host for each part; elsewhere, as at another Framegate, the parts lie side by side.
        base_url = base_url.rstrip("/")
        beside = tuple(f"{base_url}/{part}" for part in ("queue", "rest", "cdn"))
        queue, rest, cdn = PARTS if base_url == BASE_URL else beside
        super().__init__(
            VendorClient(queue, headers=key, name="fal", machine=machine), account=account, api_key=api_key
        )
        self._rest = VendorClient(rest, headers=key, name="fal", machine=machine)
        self._cdn = VendorClient(cdn, headers={}, name="fal", machine=machine)
        self._ear = FalWebhookVerifier(self._rest)

    async def close(self) -> None:
        """End its connections."""
        await super().close()
        await self._rest.close()
        await self._cdn.close()

    async def submit(self, order: Order) -> Handle:
        """Place the order; what fal cannot fetch is uploaded first."""
        endpoint = endpoint_of(order)
        urls = [await self._address(prepared) for prepared in order.references]
        sent, notes = build_input(endpoint, order, urls)
        query = {"fal_webhook": order.webhook} if order.webhook else {}
        answer = await self.upstream.submit("POST", endpoint.id, json=sent, headers=_headers(order), params=query)
        return self.handle_of(job_id_from(answer, "request_id"), app=app_of(endpoint.id), notes=notes)

    async def verify_webhook(self, headers: Mapping[str, str], raw: bytes, *, now: float) -> str | None:
        """The request that fal's webhook is about."""
        return await self._ear.verify(headers, raw, now=now)

    async def poll(self, handle: Handle) -> Update:
        """Look at the request, and at its result once there is one."""
        here = _path(handle)
        answer = await self.upstream.query("GET", f"{here}/status")
        if answer.status == 404:
            return self.unknown(handle)
        if not answer.ok:
            raise ProviderError(self.upstream.error_message(answer))
        told = answer.object()
        if told.get("status") != "COMPLETED":
            return self._waiting(told)
        result = await self.upstream.query("GET", here, any_status=True)
        if result.ok and not told.get("error"):
            return self._done(result, handle)
        if result.status == 404 and not told.get("error"):  # results are kept for an hour, large ones for minutes
            return self.unknown(handle)
        return self._failed(told, result)

    async def cancel(self, handle: Handle) -> bool:
        """Take the request out of the queue, or ask its runner to stop and look whether it did."""
        here = _path(handle)
        answer = await self.upstream.query("PUT", f"{here}/cancel")
        word = _word(answer)
        if not answer.ok or word in NOT_STOPPED:
            return False
        if answer.status != 202 and word != ASKED_TO_STOP:
            return True
        look = await self.upstream.query("GET", f"{here}/status")
        return look.ok and at(look.json(), "error_type") == STOPPED

    async def probe(self) -> str:
        """Look for a request that cannot be there."""
        await look(self.upstream, f"{ASKED}/requests/{NO_JOB}/status", known=_no_request)
        return "it answers, and takes the key"

    def _waiting(self, told: dict[str, Any]) -> Running:
        word, ahead = str(told.get("status")), told.get("queue_position")
        running = self.running(word)
        waits = word == "IN_QUEUE" and isinstance(ahead, int) and ahead > 0
        return Running(stage=f"queued, {ahead} ahead") if waits else running

    def _done(self, result: Response, handle: Handle) -> Update:
        urls = _files(result.object())
        if not urls:
            return failure("fal's answer holds no video.")
        units = result.headers.get("x-fal-billable-units")
        billed = [f"fal billed it as {units} of its units."] if units else []
        outputs, notes = tuple(map(self.made, urls)), (*handle.get("notes", ()), *billed)
        return Done(outputs=outputs, notes=notes, metadata=self.public_metadata(result.object()))

    def _failed(self, told: dict[str, Any], result: Response) -> Update:
        """The end of a request that went wrong: its status may say so, its result answers as the model did."""
        try:
            body = result.json()
        except ProviderError:
            body = None
        detail = at(body, "detail")
        if detail == UNFINISHED:
            return self.running("IN_PROGRESS")
        named = at(detail, 0, "type") or at(body, "error_type") or result.headers.get("x-fal-error-type")
        kind = str(named or told.get("error_type") or "")
        passing = result.status in OF_THE_ACCOUNT or result.status >= 500  # unless it is named, the look's own error
        if not told.get("error") and (detail is None or (passing and not kind)):
            raise ProviderError(self.upstream.error_message(result))
        return _fault(detail or told.get("error"), kind)

    async def _address(self, prepared: PreparedReference) -> str:
        try:
            return await address(prepared, ("url", "link"))
        except Refused:
            return await self._upload(prepared)

    async def _upload(self, prepared: PreparedReference) -> str:
        if prepared.blob.size_bytes > UPLOAD_BYTES_MAX:
            raise Refused(f"A file of {prepared.blob.size_bytes:,} bytes is too large to upload to fal.")
        data = await anyio.Path(Path(prepared.path)).read_bytes()
        suffix = prepared.blob.media_type.rpartition("/")[2]
        query = {"storage_type": "fal-cdn-v3"}
        try:
            token = await self._rest.query("POST", "storage/auth/token", params=query, json={})
            if token.ok:
                headers = {
                    "authorization": f"{at(token.json(), 'token_type')} {at(token.json(), 'token')}",
                    "content-type": prepared.blob.media_type,
                    "x-fal-file-name": f"reference.{suffix}",
                }
                kept = await self._cdn.query(
                    "POST", "files/upload", content=data, headers=headers, seconds_max=UPLOAD_SECONDS_MAX
                )
                url = at(kept.json(), "access_url") if kept.ok else None
                if isinstance(url, str):
                    return url
        except ProviderError as error:
            raise NotSent(f"A reference could not be uploaded, so nothing was ordered. {error.message}") from error
        refused = None if token.ok else token
        told = f" {self._rest.error_message(refused)}" if refused else ""
        said = f"fal took no upload of a reference, so nothing was ordered.{told}"
        raise Refused(said, status=refused.status if refused else None)


def endpoint_of(order: Order) -> Endpoint:
    """The endpoint that the client named, if it is one of the model's; else the model's own, or that for a mask."""
    named, usual = order.request.model, order.model_id
    if named in endpoints() and app_of(named) == app_of(usual) and app_of(usual) in VARIED:
        return endpoints()[named]
    if has(order, Role.MASK) and "task" not in order.request.options.get("fal", {}):
        usual = MASKED.get(usual, usual)
    if usual not in endpoints():
        raise Refused(f"How fal's endpoint `{usual}` is asked is not known here.")
    return endpoints()[usual]


def _headers(order: Order) -> dict[str, str]:
    handling = order.request.policy
    return {
        "idempotency-key": order.key,
        "x-fal-disable-fallbacks": "true",  # another model than the one that was asked for is no answer
        **({"x-fal-queue-priority": "low"} if handling.low_priority else {}),
        **({} if handling.retry else {"x-fal-no-retry": "1"}),
    }


def _path(handle: Handle) -> str:
    return f"{quote(handle['app'])}/requests/{handle['id']}"


def _word(answer: Response) -> object:
    try:
        return at(answer.json(), "status")
    except ProviderError:
        return None


def _no_request(answer: Response) -> bool:
    """Whether it is an answer in fal's shape, of whichever status: fal does not document it."""
    return answer.status < 500 and bool({"detail", "status"} & fields(answer).keys())


def _files(result: dict[str, Any]) -> list[str]:
    """The addresses of the videos in an endpoint's output."""
    found = result.get("videos") or [result.get("video")]
    videos = cast("list[Any]", found) if isinstance(found, list) else [found]
    urls = [video if isinstance(video, str) else at(video, "url") for video in videos]
    return [url for url in urls if isinstance(url, str)]


def _fault(detail: Any, kind: str) -> Failed:  # noqa: ANN401 - a JSON value
    problems = cast("list[Any]", detail) if isinstance(detail, list) else []
    said = " ".join(map(_sentence, problems[:3])) or f"{detail}"
    return failure(said, code=CODES.get(kind, "provider_failed"), retryable=kind.startswith(PASSING))


def _sentence(problem: object) -> str:
    """One of a model's complaints, with the field that it is about."""
    loc = at(problem, "loc")
    place = ".".join(str(part) for part in cast("list[Any]", loc)[1:]) if isinstance(loc, list) else ""
    return f"{place}: {at(problem, 'msg')}" if place else str(at(problem, "msg"))
