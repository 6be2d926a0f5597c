"""Routes: fallback between accounts and models, orders of unknown outcome, and one validation per offer."""

from base64 import b64encode
from collections import Counter
from typing import cast

import pytest

from framegate.catalogue import RequestFits, builtin, fit
from framegate.domain import Kind, Lost, Preflight, Problem, Reference, Request, Role, Routing, Running, State
from framegate.domain.errors import NotSent, OutcomeUnknown, ProviderError, Refused
from framegate.jobs.account_health import FAILURES_MAX
from framegate.jobs.routing import Route, Router
from framegate.jobs.state_machine.submit import ARRIVAL_SECONDS_MAX, ATTEMPTS_MAX, UNREACHABLE_ATTEMPTS_MAX
from framegate.jobs.state_machine.transition import BACK_OFF_SECONDS
from framegate.providers.base import Provider
from framegate.providers.registry import ProviderRegistry

pytestmark = pytest.mark.anyio


def two_accounts(**script):
    """Two accounts at one provider: orders of `a` follow the script, those of `b` succeed."""
    return {"account": "a", **script, "others": [{"account": "b"}]}


async def test_after_a_rejection_the_job_falls_back_to_the_next_account_and_logs_it(world):
    gateway = world(**two_accounts(submits=[Refused("Balance exhausted.")]))
    async with gateway.open():
        job = await gateway.end(await gateway.create())

        assert (job.state, job.account) == (State.COMPLETED, "b")
        [attempt] = job.fallback_log
        assert (attempt.account, attempt.code, attempt.message) == ("a", "provider_refused", "Balance exhausted.")
        assert await gateway.orders(job) == ["refused", "accepted"]


async def test_after_an_order_that_could_not_be_sent_the_job_falls_back_to_the_next_account(world):
    gateway = world(**two_accounts(submits=[NotSent()] * 20))
    async with gateway.open():
        job = await gateway.end(await gateway.create())

    assert (job.state, job.account) == (State.COMPLETED, "b")
    assert len(gateway.providers[0].orders) == ATTEMPTS_MAX


def unreachable():
    return NotSent("The service could not be reached (ConnectError).", connect_failed=True)


async def test_an_unreachable_account_is_left_early_if_another_can_take_the_order(world):
    gateway = world(**two_accounts(submits=[unreachable() for _ in range(20)]))
    async with gateway.open():
        job = await gateway.end(await gateway.create())

        assert await gateway.orders(job) == ["not_sent", "not_sent", "accepted"]
    assert (job.state, job.account) == (State.COMPLETED, "b")
    assert len(gateway.providers[0].orders) == UNREACHABLE_ATTEMPTS_MAX
    [attempt] = job.fallback_log
    assert (attempt.code, attempt.message) == (
        "order_not_sent",
        "The service could not be reached (ConnectError). Account: `animatic/a`.",
    )


async def test_an_unreachable_account_gets_every_attempt_if_no_other_can_take_the_order(world):
    gateway = world(submits=[unreachable() for _ in range(ATTEMPTS_MAX - 1)])
    async with gateway.open():
        start = gateway.clock.now()
        job = await gateway.end(await gateway.create())

    assert (job.state, len(gateway.provider.orders)) == (State.COMPLETED, ATTEMPTS_MAX)
    assert gateway.clock.now() - start >= sum(BACK_OFF_SECONDS)


async def test_a_job_falls_back_without_an_order_if_its_account_became_unreachable(world):
    gateway = world(**two_accounts())
    async with gateway.open(run=False):
        job = await gateway.create()
        for number in range(FAILURES_MAX):
            gateway.parts.state_machine.account_health.record_failure(gateway.providers[0], str(number), unreachable())
        await gateway.worker.start()
        job = await gateway.end(job)

        assert await gateway.orders(job) == ["accepted"]
    assert (job.state, job.account, gateway.providers[0].orders) == (State.COMPLETED, "b", [])
    [attempt] = job.fallback_log
    assert attempt.message == "Account `animatic/a` cannot be reached. No order was placed."


async def test_a_route_is_not_left_early_for_one_that_is_not_available_sooner(world):
    gateway = world(account="a", submits=[unreachable(), unreachable()], others=[{"account": "b"}])
    gateway.providers[1].requests_per_minute = 1
    async with gateway.open():
        gateway.parts.state_machine.account_health.record_submit(gateway.providers[1])
        job = await gateway.end(await gateway.create())

    assert (job.state, job.account, job.fallback_log) == (State.COMPLETED, "a", ())


async def test_an_account_with_a_long_retry_after_is_skipped_if_another_can_take_the_order(world):
    gateway = world(**two_accounts(submits=[NotSent("429", retry_after=900.0)]))
    async with gateway.open():
        job = await gateway.end(await gateway.create())
        later = await gateway.end(await gateway.create())

    assert (job.account, later.account) == ("b", "b")
    assert len(gateway.providers[0].orders) == 1


async def test_retry_after_is_respected_if_no_other_account_can_take_the_order(world):
    gateway = world(submits=[NotSent("429", retry_after=90.0)])
    async with gateway.open():
        start = gateway.clock.now()
        job = await gateway.end(await gateway.create())

    assert job.state is State.COMPLETED
    assert gateway.clock.now() - start >= 90


async def test_after_an_order_of_unknown_outcome_the_job_does_not_fall_back(world):
    gateway = world(**two_accounts(submits=[OutcomeUnknown("Timed out.")]))
    async with gateway.open():
        job = await gateway.end(await gateway.create())

    assert (job.state, job.fault.code) == (State.FAILED, "submit_unsure")
    assert gateway.providers[1].orders == []


async def test_a_job_is_polled_with_the_account_of_its_order_after_others_were_added(world):
    gateway = world(account="a", looks=[Running()], others=[])
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)
    first = gateway.providers[0]
    first.looks = ["done"]
    newer = type(first)(first.film, account="b", looks=[Lost()])
    gateway.providers = [newer, first]
    async with gateway.open():
        job = await gateway.end(job)

    assert (job.state, job.account) == (State.COMPLETED, "a")


async def test_a_job_follows_its_renamed_account(world):
    gateway = world(account="old", looks=[Running()])
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)
    gateway.provider.account, gateway.provider.looks = "new", ["done"]
    async with gateway.open():
        job = await gateway.end(job)

    assert job.state is State.COMPLETED


async def test_a_job_waits_for_its_removed_account_and_does_not_fail(world):
    gateway = world(account="a", looks=[Running()])
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)
    provider, gateway.providers = gateway.provider, []
    async with gateway.open():
        async for event in gateway.jobs.events(job.id, owner="default"):
            if event.stage.startswith("waiting for the account a"):
                break
    provider.looks, gateway.providers = ["done"], [provider]
    async with gateway.open():
        job = await gateway.end(job)

    assert job.state is State.COMPLETED


async def test_the_configured_rate_of_orders_per_minute_is_not_exceeded(world):
    gateway = world()
    gateway.provider.requests_per_minute = 2
    async with gateway.open():
        start = gateway.clock.now()
        for job in [await gateway.create() for _ in range(3)]:
            assert (await gateway.end(job)).state is State.COMPLETED

    assert gateway.clock.now() - start >= 60


@pytest.mark.parametrize(
    "finds", [[True], [ProviderError("unreachable"), ProviderError("unreachable"), True], [False, False, True]]
)
async def test_an_order_of_unknown_outcome_that_the_provider_finds_is_continued_and_not_repeated(world, finds):
    gateway = world(submits=[OutcomeUnknown("Timed out.")])
    gateway.provider.finds = finds
    async with gateway.open():
        job = await gateway.end(await gateway.create())

        assert (job.state, len(gateway.provider.orders)) == (State.COMPLETED, 1)
        assert await gateway.orders(job) == ["accepted"]


async def test_an_order_of_unknown_outcome_that_the_provider_does_not_have_is_sent_again_after_the_arrival_time(world):
    gateway = world(submits=[OutcomeUnknown("Timed out.")])
    gateway.provider.finds = [False]
    async with gateway.open():
        start = gateway.clock.now()
        job = await gateway.end(await gateway.create())

        assert await gateway.orders(job) == ["not_sent", "accepted"]
    assert job.state is State.COMPLETED
    assert gateway.clock.now() - start >= ARRIVAL_SECONDS_MAX


async def test_an_order_of_unknown_outcome_is_looked_up_after_a_restart_and_not_sent_meanwhile(world):
    gateway = world(submits=[OutcomeUnknown("Timed out.")])
    gateway.provider.finds = [ProviderError("away")]
    async with gateway.open():
        job = await gateway.create()
        async for event in gateway.jobs.events(job.id, owner="default"):
            if event.stage == "looking up its order":
                break
    gateway.provider.finds = [True]
    async with gateway.open():
        job = await gateway.end(job)

    assert (job.state, len(gateway.provider.orders)) == (State.COMPLETED, 1)


async def test_a_job_cancelled_while_its_order_is_looked_up_reports_that_it_may_be_charged(world):
    gateway = world(submits=[OutcomeUnknown("Timed out.")])
    gateway.provider.finds = [ProviderError("away")]
    async with gateway.open():
        job = await gateway.create()
        async for event in gateway.jobs.events(job.id, owner="default"):
            if event.stage == "looking up its order":
                break
        job = await gateway.end(await gateway.jobs.cancel(job.id, owner="default"))

        assert (job.state, job.fault.unsure) == (State.CANCELLED, True)
        assert await gateway.orders(job) == ["unsure"]


async def test_a_job_is_pinned_to_the_account_and_base_url_of_its_order(world):
    gateway = world(account="a", looks=[Running()])
    gateway.provider.base_url, gateway.provider.key_fingerprint = "https://service.test", "mark"
    async with gateway.open():
        job = await gateway.create()
        await gateway.until(job, State.RUNNING)
    gateway.provider.base_url = "https://elsewhere.test"
    async with gateway.open():
        async for event in gateway.jobs.events(job.id, owner="default"):
            if event.stage.startswith("waiting for the account a"):
                break
    gateway.provider.base_url, gateway.provider.looks = "https://service.test", ["done"]
    gateway.provider.account = "renamed"
    async with gateway.open():
        job = await gateway.end(job)

    assert (job.state, job.account_url, job.account_key) == (State.COMPLETED, "https://service.test", "mark")
    assert len(gateway.provider.orders) == 1


async def test_a_job_without_an_order_falls_back_if_its_account_is_removed(world):
    gateway = world(**two_accounts())
    async with gateway.open(run=False):
        job = await gateway.create()
        assert job.account == "a"
    gateway.providers = [*gateway.providers[1:], type(gateway.provider)(gateway.provider.film, account="c")]
    async with gateway.open():
        job = await gateway.end(job)

    assert (job.state, job.account) == (State.COMPLETED, "b")
    assert [attempt.code for attempt in job.fallback_log] == ["provider_missing"]


async def test_a_model_can_have_its_own_deadline(world):
    gateway = world(looks=[Running(progress=0.1)])
    gateway.settings = gateway.settings.model_copy(update={"model_deadline_seconds": {"framegate/animatic": 30}})
    async with gateway.open():
        job = await gateway.end(await gateway.create())

    assert job.state is State.EXPIRED
    assert job.deadline_at - job.created_at == 30


def route_of(model: str, provider: str) -> Route:
    request = Request(model=model, prompt="a cat")
    entry = builtin().get(model)
    assert entry is not None
    fit = next(fit for fit in RequestFits(request).of(entry) if fit.offer.provider == provider)
    assert fit.target is not None
    return Route(request, model, fit, fit.target, provider=cast("Provider", None))  # not part of a verdict


def test_a_preflight_problem_leaves_the_verdict_without_target_and_estimate():
    route = route_of("framegate/animatic", "animatic")
    warning, problem = (Problem(code=code, pointer="", message="m") for code in ("w", "p"))

    with_warning = route.verdict(Preflight(warnings=(warning,), shots=({"start": 0.0},)))
    with_problem = route.verdict(Preflight(problems=(problem,)))
    without_preflight = route.verdict(None)

    assert with_warning.ok
    assert (with_warning.warnings, with_warning.shots) == ((warning,), ({"start": 0.0},))
    assert (with_warning.target, with_warning.estimate) == (route.target, route.fit.estimate)
    assert not with_problem.ok
    assert with_problem.target is with_problem.estimate is None
    assert (without_preflight.ok, without_preflight.target, without_preflight.warnings) == (True, route.target, ())


@pytest.fixture
def validations(monkeypatch) -> Counter:
    """How often a request was validated against each offer."""
    counts: Counter[tuple[str, str]] = Counter()
    validate = fit._fit

    def counting(request, model, offer, *context):
        counts[model.id, offer.provider] += 1
        return validate(request, model, offer, *context)

    monkeypatch.setattr(fit, "_fit", counting)
    return counts


class Account(Provider):
    """An account at any provider; `rejects` makes its preflight report a problem."""

    def __init__(self, name: str, *, rejects: bool = False) -> None:
        self.name = name
        self.rejects = rejects

    async def submit(self, order):
        raise AssertionError

    async def poll(self, handle):
        raise AssertionError

    def preflight(self, request, target, prepared=()):
        return Preflight(problems=(Problem(code="p", pointer="", message="m"),)) if self.rejects else None


def test_each_offer_is_validated_once_to_select_a_route(validations):
    router = Router(builtin(), ProviderRegistry(Account(name) for name in ("fal", "openrouter", "phaseo")))
    picture = Reference(url="https://h/a.png")
    request = Request(model="google/veo-3.1", prompt="a cat", references=(picture,), models=("google/veo-3.1-fast",))

    candidates = router.candidates(request)
    _, route = candidates.require()
    candidates.require(lambda _: ())  # as for a request whose references were measured meanwhile

    assert route.model == "google/veo-3.1"
    assert {provider for model, provider in validations if model == route.model} == {"fal", "openrouter", "phaseo"}
    assert set(validations.values()) == {1}


def test_each_offer_is_validated_once_when_a_fallback_is_selected(validations):
    rejecting = [Account(name, rejects=name == "fal") for name in ("fal", "openrouter")]
    router = Router(builtin(), ProviderRegistry(rejecting))
    request = Request(
        model="google/veo-3.1",
        prompt="a cat",
        duration=8,
        references=(Reference(url="https://h/a.png"),),
        routing=Routing(only=("fal",)),
        models=("bytedance/seedance-2.0-fast", "framegate/animatic"),
    )

    verdict, route = router.candidates(request).select()

    assert route is None
    assert [problem.code for problem in verdict.problems] == ["p"]
    assert set(validations.values()) == {1}


async def test_each_offer_is_validated_once_for_a_job(world, validations):
    gateway = world()
    async with gateway.open(run=False):
        await gateway.create()

    assert validations == {("framegate/animatic", "animatic"): 1}


async def test_each_offer_is_validated_once_for_a_job_with_a_measured_clip(world, validations, film):
    clip = f"data:video/mp4;base64,{b64encode(film.read_bytes()).decode()}"
    gateway = world()
    async with gateway.open(run=False):
        await gateway.create(references=(Reference(url=clip, kind=Kind.VIDEO, role=Role.SOURCE),))

    assert validations == {("framegate/animatic", "animatic"): 1}


async def test_each_offer_is_validated_once_by_a_check_that_measures_the_references(world, validations, film):
    clip = f"data:video/mp4;base64,{b64encode(film.read_bytes()).decode()}"
    request = Request(
        model="framegate/animatic",
        prompt="a cat",
        references=(Reference(url=clip, kind=Kind.VIDEO, role=Role.SOURCE),),
    )
    gateway = world()
    async with gateway.open(run=False):
        verdict = await gateway.jobs.check(request, caller=gateway.caller)

    assert verdict.ok
    assert validations == {("framegate/animatic", "animatic"): 1}
