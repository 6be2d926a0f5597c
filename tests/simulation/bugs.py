"""Planted bugs: the harness must find each of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from framegate.domain import Fault, State, ledger
from framegate.domain.errors import NotSent, OutcomeUnknown, Unavailable
from framegate.domain.ledger import Budget, EntryState
from framegate.jobs.state_machine.finalize import Finalizer
from framegate.jobs.state_machine.machine import JobStateMachine
from framegate.jobs.worker import Worker
from framegate.net.vendor_client import VendorClient
from framegate.store import Store, outbox

Patch = tuple[object, str, Any]  # an object, the name of its attribute, and what stands in its place


def _broken_connection_means_not_sent() -> Iterator[Patch]:
    real = VendorClient.submit

    async def submit(self, *given, **options):
        try:
            return await real(self, *given, **options)
        except OutcomeUnknown as error:
            raise NotSent(error.message) from error

    yield VendorClient, "submit", submit


def _recovered_is_ignored() -> Iterator[Patch]:
    real = JobStateMachine.step

    async def step(self, job, *, recovered):
        return await real(self, job, recovered=False)

    yield JobStateMachine, "step", step


def _webhooks_are_not_ordered() -> Iterator[Patch]:
    def due(query, now, busy_hosts):
        columns = outbox.deliveries.c
        is_free = columns.lease_until.is_(None) | (columns.lease_until < now)
        return query.where(columns.state == "waiting", columns.due_at <= now, is_free)

    yield outbox, "_due", due


def _held_is_void() -> Iterator[Patch]:
    real = ledger.entry_of

    def entry_of(job):
        entry = real(job)
        return replace(entry, state=EntryState.VOID) if entry.state is EntryState.HELD else entry

    yield ledger, "entry_of", entry_of


def _budget_is_not_checked() -> Iterator[Patch]:
    yield Budget, "check", lambda *_, **__: None


def _cancel_is_ignored_before_the_order() -> Iterator[Patch]:
    real = Worker._early_end

    async def early_end(self, job, *, recovered):
        if job.cancel_requested and job.state.value in ("queued", "preparing", "submitting"):
            job = replace(job, cancel_requested=False)
        return await real(self, job, recovered=recovered)

    yield Worker, "_early_end", early_end


def _accepted_order_is_dropped() -> Iterator[Patch]:
    real = Store.apply

    async def apply(self, job, **options):
        try:
            return await real(self, job, **options)
        except Unavailable:
            if (order := options.get("order")) is None or order.state != "accepted":
                raise
            fault = Fault(code="submit_unsure", message="The database failed.", unsure=True)
            failed = replace(job, state=State.FAILED, fault=fault, handle=None, finished_at=job.updated_at)
            entry = ledger.ledger_change(None, failed, allow_unpriced=True)
            options |= {"order": replace(order, state="unsure"), "release": True, "ledger_change": entry}
            while True:
                try:
                    return await real(self, failed, **options)
                except Unavailable:
                    continue

    yield Store, "apply", apply


def _download_is_not_repeated() -> Iterator[Patch]:
    yield Finalizer, "retry_download", lambda *_, **__: None


def _job_is_settled_twice() -> Iterator[Patch]:
    real = ledger.entry_of

    def entry_of(job):
        if job.provider_files and not job.state.is_final:  # at the end of the order, and again at the end of the job
            settled = {"state": EntryState.SETTLED, "settled_micro_usd": job.estimate.micro_usd if job.estimate else 0}
            return replace(real(job), **settled)
        return real(job)

    yield ledger, "entry_of", entry_of


BUGS: Mapping[str, Callable[[], Iterator[Patch]]] = {
    "broken-is-not-sent": _broken_connection_means_not_sent,
    "recovered-ignored": _recovered_is_ignored,
    "webhook-order": _webhooks_are_not_ordered,
    "held-is-void": _held_is_void,
    "no-budget": _budget_is_not_checked,
    "cancel-ignored": _cancel_is_ignored_before_the_order,
    "accepted-dropped": _accepted_order_is_dropped,
    "download-once": _download_is_not_repeated,
    "settled-twice": _job_is_settled_twice,
}


@contextmanager
def planted(bug: str | None) -> Iterator[None]:
    """Plant a bug."""
    with ExitStack() as stack:
        for target, name, stand_in in BUGS[bug]() if bug else ():
            stack.enter_context(patch.object(target, name, stand_in))
        yield
