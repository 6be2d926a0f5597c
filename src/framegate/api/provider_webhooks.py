"""Inbound provider webhooks. A verified call triggers an immediate poll; its payload is never trusted."""

import logging
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse

from framegate.domain import State
from framegate.domain.errors import FramegateError, NotFound, TooLarge, Unauthorized, Unavailable
from framegate.domain.machine import Clock
from framegate.providers.registry import ProviderRegistry
from framegate.store import Store

BODY_BYTES_MAX = 4 * 2**20
ID_CHARS = 36  # of a UUID

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProviderWebhooks:
    """Receives the webhooks of providers. A call without a valid signature is rejected."""

    providers: ProviderRegistry
    store: Store
    clock: Clock

    async def receive(self, request: Request) -> JSONResponse:
        """Verify a call and poll its job. Raises `NotFound`, `TooLarge`, `Unauthorized`, `Unavailable`."""
        provider = self.providers.get(request.path_params["provider"], request.path_params["account"])
        if provider is None or not provider.sends_webhooks:
            raise NotFound("No account with webhooks at this path.")
        raw = await _body(request)
        try:
            order_id = await provider.verify_webhook(request.headers, raw, now=self.clock.now())
        except FramegateError as error:
            _log.warning("Webhook of %s could not be verified: %s", provider.name, error.message)
            raise Unavailable("The webhook cannot be verified. Send it again later.") from error
        if order_id is None:
            raise Unauthorized("Invalid webhook signature, or a timestamp more than five minutes old.")
        job_id = request.query_params.get("job", "")[:ID_CHARS]
        job = await self.store.get(job_id)
        is_own = job is not None and self.providers.for_job(job) is provider
        if job and is_own and job.state is State.RUNNING and job.handle and job.handle.get("id") == order_id:
            await self.store.make_due(job.id, now=self.clock.now())
        return JSONResponse({"ok": True})


async def _body(request: Request) -> bytes:
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > BODY_BYTES_MAX:
            raise TooLarge(f"The webhook is larger than {BODY_BYTES_MAX:,} bytes.")
    return bytes(raw)
