"""Webhook dispatcher: sends due deliveries in order, retries by each dialect's schedule, and records every attempt."""

import asyncio
import logging
from collections import Counter

from framegate.domain import Attempt, Delivery, DeliveryState
from framegate.domain.errors import FramegateError, Stale, Unavailable
from framegate.domain.machine import Machine
from framegate.jobs.background.periodic import wait_for_event
from framegate.jobs.webhooks.dialect import WebhookDialect, WebhookDialects
from framegate.net.fetcher import Fetcher
from framegate.store import Store
from framegate.store.outbox import ClaimedDelivery

_log = logging.getLogger(__name__)

SENDS_MAX = 64  # at once
HOST_SENDS_MAX = 8  # about so many at once to one host: a slow receiver does not delay the others
LEASE_SECONDS = 120.0  # longer than any dialect's timeout
IDLE_SECONDS = 1.0  # longest sleep: another process may have written
JITTER = 0.1  # relative; deliveries that failed together are not retried together
GONE = 410  # the receiver wants no further attempt


class WebhookDispatcher:
    """The dispatcher of one process. `sole`: no other process uses the store, so every lease at the start is void."""

    def __init__(
        self, store: Store, net: Fetcher, dialects: WebhookDialects, *, machine: Machine, sole: bool = True
    ) -> None:
        self.worker = f"dispatcher-{machine.random_bytes(6).hex()}"
        self._store = store
        self._net = net
        self._dialects = dialects
        self._machine = machine
        self._sole = sole
        self._task: asyncio.Task[None] | None = None
        self._sends: dict[asyncio.Task[None], str] = {}  # each with its host

    async def start(self) -> None:
        """Start with the deliveries that an earlier process left."""
        if self._sole:
            await self._store.outbox.release_all()
        self._task = asyncio.create_task(self._run(), name="framegate-webhook-dispatcher")

    async def stop(self) -> None:
        """Release every delivery; the next process sends an interrupted one again, with the same id."""
        tasks = [task for task in (self._task, *self._sends) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._store.outbox.release_all(self.worker)
        except Unavailable as error:
            _log.warning("Database unavailable; webhooks are released when their leases expire. %s", error.message)

    @property
    def alive(self) -> bool:
        """Whether the dispatcher runs."""
        return self._task is not None and not self._task.done()

    async def _run(self) -> None:
        while True:
            self._store.notifier.delivery_available.clear()
            try:
                wait = await self._claim_due()
            except Unavailable as error:  # the store logs an outage once
                _log.debug("No webhook is sent: %s", error.message)
                wait = IDLE_SECONDS
            if wait > 0:
                await wait_for_event(self._store.notifier.delivery_available, wait, clock=self._machine)

    async def _claim_due(self) -> float:
        """Claim the deliveries that are due; return the seconds until the next one is."""
        limit = min(SENDS_MAX - len(self._sends), HOST_SENDS_MAX)
        if limit <= 0:
            return IDLE_SECONDS
        now = self._machine.now()
        busy_hosts = [host for host, count in Counter(self._sends.values()).items() if count >= HOST_SENDS_MAX]
        claims = await self._store.outbox.claim(
            self.worker, now=now, until=now + LEASE_SECONDS, limit=limit, busy_hosts=busy_hosts
        )
        for claim in claims:
            task = asyncio.create_task(self._deliver(claim), name=f"framegate-webhook-{claim.delivery.id}")
            self._sends[task] = claim.host
            task.add_done_callback(self._sent)
        if claims:
            return 0.0
        due_at = await self._store.outbox.next_due()
        if due_at is None or busy_hosts or due_at <= now:  # due but not claimable: its host is busy, or it is not next
            return IDLE_SECONDS
        return min(IDLE_SECONDS, due_at - now)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sends.pop(task, None)
        self._store.notifier.delivery_available.set()

    async def _deliver(self, claim: ClaimedDelivery) -> None:
        delivery, dialect = claim.delivery, self._dialects.get(claim.delivery.dialect)
        started_at, began = self._machine.now(), self._machine.monotonic()
        status, error = await self._guarded_send(delivery, dialect, at=started_at)
        attempt = Attempt(
            number=delivery.attempts + 1,
            at=started_at,
            milliseconds=round((self._machine.monotonic() - began) * 1000),
            status=status,
            error=error,
        )
        state, due_at = self._outcome(delivery, dialect, attempt)
        try:
            await self._store.outbox.record(claim, attempt, state=state, due_at=due_at)
        except Stale:
            _log.info("Webhook %s was taken over by another process.", delivery.id)
        except Unavailable as unavailable:
            message = "Webhook %s: database unavailable; will be sent again when its lease expires. %s"
            _log.warning(message, delivery.id, unavailable.message)

    async def _guarded_send(
        self, delivery: Delivery, dialect: WebhookDialect | None, *, at: float
    ) -> tuple[int | None, str | None]:
        """Return the status of the response, or the error if there is none."""
        if dialect is None:
            return None, f"The API `{delivery.dialect}` sends no webhooks in this version."
        try:
            return await self._send(delivery, dialect, at=at), None
        except FramegateError as error:
            return None, error.message
        except Exception:  # noqa: BLE001 - top level of a delivery: counts as a failed attempt
            _log.exception("Webhook %s: internal error.", delivery.id)
            return None, "Internal error. See the log of the gateway."

    async def _send(self, delivery: Delivery, dialect: WebhookDialect, *, at: float) -> int:
        job = await self._store.get(delivery.job_id) if dialect.secret_of else None
        raw, headers = self._dialects.signed_request(delivery, dialect, at=int(at), job=job)
        return await self._net.post(delivery.url, raw, headers=headers, seconds_max=dialect.timeout_seconds)

    def _outcome(
        self, delivery: Delivery, dialect: WebhookDialect | None, attempt: Attempt
    ) -> tuple[DeliveryState, float]:
        """Return the state of a delivery after an attempt, and when it is due next."""
        if attempt.status is not None and 200 <= attempt.status < 300:
            return DeliveryState.DELIVERED, delivery.due_at
        attempts = attempt.number - delivery.attempts_at_replay
        if dialect is None or attempts >= dialect.attempts_max or attempt.status == GONE:
            _log.warning("Webhook %s of job %s failed; no further attempt.", delivery.id, delivery.job_id)
            return DeliveryState.FAILED, delivery.due_at
        wait = dialect.schedule_seconds[attempts - 1] * self._machine.uniform(1, 1 + JITTER)
        return DeliveryState.WAITING, self._machine.now() + wait
