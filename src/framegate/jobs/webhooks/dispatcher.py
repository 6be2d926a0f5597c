"""Hands webhooks over: takes what is due, in order, tries it by its dialect's schedule, and records every try."""

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

AT_ONCE_MAX = 64
HOST_AT_ONCE_MAX = 8  # about so many to one receiver: a slow one does not hold up the others
LEASE_SECONDS = 120.0  # longer than any dialect's timeout
IDLE_SECONDS = 1.0  # how long to sleep at most: another process may have written
JITTER = 0.1  # a wait is up to so much longer, so that what failed together is not tried together
GONE = 410  # the receiver wants no more of it


class WebhookDispatcher:
    """One deliverer in one process. `sole`: nobody else works on this store, so whatever was held is free again."""

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
        self._tries: dict[asyncio.Task[None], str] = {}  # each with its host

    async def start(self) -> None:
        """Take up whatever an earlier process left, then whatever comes."""
        if self._sole:
            await self._store.outbox.release_all()
        self._task = asyncio.create_task(self._run(), name="framegate-webhook-dispatcher")

    async def stop(self) -> None:
        """Put every delivery down; what was under way is sent again, with the same id, by the next process."""
        tasks = [task for task in (self._task, *self._tries) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._store.outbox.release_all(self.worker)

    @property
    def alive(self) -> bool:
        """Whether the deliverer runs."""
        return self._task is not None and not self._task.done()

    async def _run(self) -> None:
        while True:
            self._store.notifier.delivery_available.clear()
            try:
                wait = await self._take()
            except Unavailable as error:
                _log.warning("The store is away, trying again: %s", error.message)
                wait = IDLE_SECONDS
            if wait > 0:
                await wait_for_event(self._store.notifier.delivery_available, wait, clock=self._machine)

    async def _take(self) -> float:
        """Claim what is due; say for how long nothing more is."""
        room = min(AT_ONCE_MAX - len(self._tries), HOST_AT_ONCE_MAX)
        if room <= 0:
            return IDLE_SECONDS
        now = self._machine.now()
        busy = [host for host, count in Counter(self._tries.values()).items() if count >= HOST_AT_ONCE_MAX]
        claimed = await self._store.outbox.claim(
            self.worker, now=now, until=now + LEASE_SECONDS, limit=room, busy_hosts=busy
        )
        for held in claimed:
            task = asyncio.create_task(self._hand_over(held), name=f"framegate-webhook-{held.delivery.id}")
            self._tries[task] = held.host
            task.add_done_callback(self._done)
        if claimed:
            return 0.0
        due_at = await self._store.outbox.next_due()
        soon = due_at is None or busy or due_at <= now  # due but not to be had: behind another, or its host is busy
        return IDLE_SECONDS if soon or due_at is None else min(IDLE_SECONDS, due_at - now)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tries.pop(task, None)
        self._store.notifier.delivery_available.set()

    async def _hand_over(self, held: ClaimedDelivery) -> None:
        delivery, hook = held.delivery, self._dialects.get(held.delivery.dialect)
        began = self._machine.now()
        status, why = await self._guarded(delivery, hook, at=began)
        milliseconds = round((self._machine.now() - began) * 1000)
        attempt = Attempt(number=delivery.attempts + 1, at=began, milliseconds=milliseconds, status=status, error=why)
        state, due_at = self._outcome(delivery, hook, attempt)
        try:
            await self._store.outbox.record(held, attempt, state=state, due_at=due_at)
        except Stale:
            _log.info("Webhook %s is no longer ours.", delivery.id)
        except Unavailable as error:
            _log.warning("Webhook %s is sent again when its lease runs out: %s", delivery.id, error.message)

    async def _guarded(
        self, delivery: Delivery, hook: WebhookDialect | None, *, at: float
    ) -> tuple[int | None, str | None]:
        """The answer's status, or why there is none."""
        if hook is None:
            return None, f"The dialect `{delivery.dialect}` calls nobody back in this version."
        try:
            return await self._send(delivery, hook, at=at), None
        except FramegateError as error:
            return None, error.message
        except Exception:  # noqa: BLE001 - the top of a delivery: a fault of ours is a try that failed, and is seen
            _log.exception("Webhook %s met a fault of ours.", delivery.id)
            return None, "Framegate failed on this webhook; its log says why."

    async def _send(self, delivery: Delivery, hook: WebhookDialect, *, at: float) -> int:
        job = await self._store.get(delivery.job_id) if hook.secret_of else None
        raw, headers = self._dialects.signed_request(delivery, hook, at=int(at), job=job)
        return await self._net.post(delivery.url, raw, headers=headers, seconds_max=hook.timeout_seconds)

    def _outcome(
        self, delivery: Delivery, hook: WebhookDialect | None, attempt: Attempt
    ) -> tuple[DeliveryState, float]:
        if attempt.status is not None and 200 <= attempt.status < 300:
            return DeliveryState.DELIVERED, delivery.due_at
        tried = attempt.number - delivery.attempts_at_replay
        if hook is None or tried >= hook.attempts_max or attempt.status == GONE:
            _log.warning("Webhook %s of job %s was given up.", delivery.id, delivery.job_id)
            return DeliveryState.FAILED, delivery.due_at
        wait = hook.schedule_seconds[tried - 1] * self._machine.uniform(1, 1 + JITTER)
        return DeliveryState.WAITING, self._machine.now() + wait
