"""Where a request goes: which model, by whose offer, with which account; and where next, if that one says no."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from framegate import catalogue as rules
from framegate.catalogue import Catalogue, Fit, Offer
from framegate.catalogue.rules.warnings import for_route
from framegate.domain import Job, Preflight, Problem, Request, Target, Verdict
from framegate.domain.errors import InvalidRequest
from framegate.providers.base import Provider, ProviderRegistry, apply_preflight

DEARER_THAN_ANY = 1 << 62  # an offer without a price comes behind those that have one


@dataclass(frozen=True, slots=True)
class Route:
    """One way to make what a request asks for."""

    request: Request  # with the model that is meant
    model: str  # canonical id
    fit: Fit
    target: Target
    provider: Provider

    def job_fields(self) -> dict[str, Any]:
        """What it makes of a job that takes it."""
        return {
            "model": self.model,
            "offer": self.fit.offer.provider,
            "provider": self.provider.name,
            "account": self.provider.account,
            "target": self.target,
            "estimate": self.fit.estimate,
        }

    def verdict(self, verdict: Verdict, sight: Preflight | None, problems: Sequence[Problem] = ()) -> Verdict:
        """The verdict on a request that goes this way: what would be made, at what cost, and what stands in the way."""
        sight = replace(sight or Preflight(), problems=(*(sight.problems if sight else ()), *problems))
        warnings = self.warnings(verdict.warnings)
        here = replace(verdict, target=self.target, estimate=self.fit.estimate, warnings=warnings)
        return apply_preflight(here, sight)

    def warnings(self, warnings: Sequence[Problem]) -> tuple[Problem, ...]:
        """The warnings of another way, or of a verdict, as they are on this one."""
        return for_route(warnings, self.request, self.model, self.fit)

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from every other route of the same request."""
        return self.model, self.fit.offer.provider, self.provider.account


ExtraProblems = Callable[[Route], Sequence[Problem]]


def no_extra_problems(_: Route) -> tuple[Problem, ...]:
    """Nothing else stands in a way."""
    return ()


class Router:
    """Judges requests by the offers that this gate can order from, and finds their ways.

    `paused` tells an account that takes no orders for the moment: it comes behind those that do.
    """

    def __init__(
        self, catalogue: Catalogue, offers: ProviderRegistry, *, paused: Callable[[Provider], bool] = lambda _: False
    ) -> None:
        self.catalogue = catalogue
        self._offers = offers
        self._paused = paused

    def decide(self, request: Request, besides: ExtraProblems = no_extra_problems) -> tuple[Verdict, Route | None]:
        """The verdict on a request, and the way on which it would go: the first that nothing stands in.

        Where its own model does not take it as it stands, that is the way of a fall-back; where none does, the verdict
        is what its own model says. `besides` tells what else stands in a way.
        """
        own = self.check(request)
        first: Verdict | None = None
        for verdict, route in self.candidates(request, own):
            seen = route.verdict(verdict, route.provider.preflight(route.request, route.target), besides(route))
            if seen.ok:
                return seen, route
            first = first or seen
        return first if own.ok and first else own, None

    def check(self, request: Request) -> Verdict:
        """What the catalogue says of a request, by the offers that can be had here."""
        return rules.check(request, catalogue=self.catalogue, usable=self._usable)

    def first(self, request: Request, besides: ExtraProblems = no_extra_problems) -> tuple[Route, Verdict]:
        """The way on which a request goes. Raises `InvalidRequest` with what its own model says."""
        verdict, route = self.decide(request, besides)
        if route is None:
            raise InvalidRequest(verdict.problems, warnings=verdict.warnings, alternatives=verdict.alternatives)
        return route, verdict

    def next_route(self, job: Job) -> Route | None:
        """The next way for a job whose present one said no; None where every one has."""
        tried = {(one.model, one.offer, one.account) for one in job.fallback_log}
        for _, route in self.candidates(job.request):
            sight = route.provider.preflight(route.request, route.target)
            if route.key not in tried and not (sight and sight.problems):
                return route
        return None

    def candidates(self, request: Request, own: Verdict | None = None) -> Iterator[tuple[Verdict, Route]]:
        """Every way that takes a request: those of its own model, then those of its fall-backs, in their order.

        `own` is what the catalogue says of its own model, where that is known already.
        """
        for name in dict.fromkeys((request.model, *request.models)):
            asked = replace(request, model=name)
            verdict = own if own and name == request.model else self.check(asked)
            for route in self._routes(asked) if verdict.ok else ():
                yield verdict, route

    def offer(self, job: Job) -> Offer | None:
        """The offer by which a job was judged."""
        model = self.catalogue.get(job.model)
        return model.offer(job.offer) if model else None

    def _routes(self, request: Request) -> Iterator[Route]:
        """The ways of the request's own model, as its routing orders them, then the cheaper first."""
        model = self.catalogue.get(request.model)
        if model is None:
            return
        ways = [
            Route(request, model.id, fit, fit.target, provider)
            for fit in rules.fits(request, model, usable=self._usable)
            if fit.target is not None
            for provider in self._offers.for_offer(fit.offer.provider, fit.offer.id)
        ]
        order = {name: place for place, name in enumerate(request.routing.order)}
        yield from sorted(ways, key=lambda way: self._rank(way, order))

    def _usable(self, offer: Offer) -> bool:
        return bool(self._offers.for_offer(offer.provider, offer.id))

    def _rank(self, way: Route, order: dict[str, int]) -> tuple[int, bool, int]:
        cost = way.fit.estimate.micro_usd if way.fit.estimate else DEARER_THAN_ANY
        return order.get(way.fit.offer.provider, len(order)), self._paused(way.provider), cost
