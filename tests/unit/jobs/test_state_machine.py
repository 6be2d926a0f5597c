"""Whatever a provider answers, whenever the gateway is stopped and the job cancelled: the promises hold."""

import itertools
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.domain import Event, Failed, Fault, Lost, Running, State
from framegate.domain.errors import Conflict, NotSent, OutcomeUnknown, ProviderError, Refused
from framegate.jobs.state_machine.submit import ATTEMPTS_MAX
from support.soak import examples
from support.virtual_machine import VirtualMachine
from support.world import ScriptedProvider, World

FAULT = Fault(code="refused_content", message="No.")
SUBMITS = st.sampled_from([None, None, NotSent(), Refused(), OutcomeUnknown(), ProviderError("500 after sending")])
LOOKS = st.sampled_from(
    [Running(), Running(progress=0.4), NotSent(), ProviderError("garbage"), Lost(), Failed(fault=FAULT), "done"]
)
# Where a job may go from each state; from every one that is not final also to an end.
NEXT = {
    State.QUEUED: {State.PREPARING},
    State.PREPARING: {State.PREPARING, State.SUBMITTING},
    State.SUBMITTING: {State.SUBMITTING, State.RUNNING, State.PREPARING},
    State.RUNNING: {State.RUNNING, State.FETCHING, State.PREPARING},
    State.FETCHING: {State.FETCHING, State.CHECKING, State.PREPARING},
    State.CHECKING: {State.CHECKING, State.COMPLETED},
}
ENDS = {State.FAILED, State.CANCELLED, State.EXPIRED}


async def _live(
    machine: VirtualMachine, folder: Path, film: Path, script: dict, stops: list[int], cancel_at: int | None
):
    """Run one job: stop the gateway after so many events, several times, then let it finish."""
    gateway = World(machine, folder / "data", ScriptedProvider(Path(shutil.copy(film, folder / "film.mp4")), **script))
    gateway.provider.poll_seconds = 0.2
    async with gateway.open(run=False):
        job = await gateway.create()
    events: tuple[Event, ...] = ()
    orders: list[str] = []
    for stop in [*stops, None]:
        async with gateway.open():
            seen = 0
            async for event in gateway.jobs.events(job.id, owner="default"):
                seen += 1
                if cancel_at is not None and event.seq >= cancel_at:
                    cancel_at = None
                    try:
                        await gateway.jobs.cancel(job.id, owner="default")
                    except Conflict:
                        assert (await gateway.jobs.get(job.id, owner="default")).state.is_final
                if seen == stop:
                    break
            job = await gateway.jobs.get(job.id, owner="default")
            events = await gateway.store.events(job.id)
            orders = await gateway.orders(job)
    return gateway, job, events, orders


@pytest.mark.slow
@given(
    repeatable=st.booleans(),
    submits=st.lists(SUBMITS, max_size=5),
    looks=st.lists(LOOKS, max_size=5).map(lambda looks: [*looks, "done"]),
    stops=st.lists(st.integers(1, 6), max_size=3),
    cancel_at=st.none() | st.integers(1, 9),
)
@examples(8)
def test_every_job_ends_once_and_no_paid_order_is_repeated(film, repeatable, submits, looks, stops, cancel_at):
    script = {"submits": submits, "looks": looks, "repeatable": repeatable}
    machine = VirtualMachine()
    with tempfile.TemporaryDirectory() as folder:
        gateway, job, events, orders = machine.run(_live(machine, Path(folder), film, script, stops, cancel_at))

    assert job.state.is_final
    assert [event.seq for event in events] == list(range(1, job.version + 1))
    for before, after in itertools.pairwise(events):
        assert not before.state.is_final
        assert after.state in NEXT[before.state] | ENDS or after.state is before.state
    assert len(orders) <= ATTEMPTS_MAX + len(stops)  # what a stop broke off is made again, however often
    assert job.state is not State.COMPLETED or (job.outputs and job.report and job.report["playable"])
    assert job.state is State.COMPLETED or job.fault is not None
    if not repeatable:
        told_no = sum(isinstance(answer, NotSent) for answer in submits)
        assert len(gateway.provider.orders) <= 1 + told_no
        assert orders.count("accepted") + orders.count("unsure") <= 1
    if "unsure" in orders:
        assert orders[-1] == "unsure"
