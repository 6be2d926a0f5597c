"""Where a request goes: which model, by whose offer, with which account; and where next, if that one says no."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from framegate import catalogue as rules
from framegate.catalogue import Catalogue, Fit, Offer
from framegate.errors import InvalidRequest
from framegate.provider import Offers, Provider, foreseen
from framegate.types import Foresight, Job, Request, Target, Verdict

DEARER_THAN_ANY = 1 << 62  # an offer without a price comes behind those that have one


@dataclass(frozen=True, slots=True)
class Route:
    """One way to make what a request asks for."""

    request: Request  # with the model that is meant
    model: str  # canonical id
    fit: Fit
    target: Target
    provider: Provider

    def settled(self) -> dict[str, Any]:
        """What it makes of a job that takes it."""
        return {
            "model": self.model,
            "offer": self.fit.offer.provider,
            "provider": self.provider.name,
            "account": self.provider.account,
            "target": self.target,
            "estimate": self.fit.estimate,
        }

    def seen(self, verdict: Verdict, sight: Foresight | None) -> Verdict:
        """The verdict on a request that goes this way: what would be made, at what cost, and what its provider says."""
        return foreseen(replace(verdict, target=self.target, estimate=self.fit.estimate), sight)

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from every other route of the same request."""
        return self.model, self.fit.offer.provider, self.provider.account


class Router:
    """Judges requests by the offers that this gate can order from, and finds their ways.

    `paused` tells an account that takes no orders for the moment: it comes behind those that do.
    """

    def __init__(
        self, catalogue: Catalogue, offers: Offers, *, paused: Callable[[Provider], bool] = lambda _: False
    ) -> None:
        self.catalogue = catalogue
        self._offers = offers
        self._paused = paused

    def judge(self, request: Request) -> Verdict:
        """What the check says of a request by the catalogue, and by the provider that would make it."""
        return self.decide(request)[0]

    def decide(self, request: Request) -> tuple[Verdict, Route | None]:
        """What the check says of a request, and the way on which it would go: the first that nothing stands in."""
        verdict = self.check(request)
        first: Verdict | None = None
        for route in self.routes(request) if verdict.ok else ():
            seen = route.seen(verdict, route.provider.foresee(request, route.target))
            if seen.ok:
                return seen, route
            first = first or seen
        return first or verdict, None

    def check(self, request: Request) -> Verdict:
        """What the catalogue says of a request, by the offers that can be had here."""
        return rules.check(request, catalogue=self.catalogue, usable=self._usable)

    def first(self, request: Request) -> tuple[Route, Verdict]:
        """The first way of the first model that takes the request as it stands: its own, else a fall-back.

        Raises `InvalidRequest` with what the client's own model says.
        """
        own: Verdict | None = None
        for name in (request.model, *request.models):
            verdict, route = self.decide(replace(request, model=name))
            if route is not None:
                return route, verdict
            own = own or verdict
        assert own is not None  # noqa: S101 - there is always a first model
        raise InvalidRequest(own.problems, warnings=own.warnings, alternatives=own.alternatives)

    def after(self, job: Job) -> Route | None:
        """The next way for a job whose present one said no; None where every one has."""
        tried = {(one.model, one.offer, one.account) for one in job.tried}
        models = dict.fromkeys((job.request.model, *job.request.models))
        for name in models:
            asked = replace(job.request, model=name)
            for route in self.routes(asked) if self.check(asked).ok else ():
                sight = route.provider.foresee(asked, route.target)
                if route.key not in tried and not (sight and sight.problems):
                    return route
        return None

    def offer(self, job: Job) -> Offer | None:
        """The offer by which a job was judged."""
        model = self.catalogue.get(job.model)
        return model.offer(job.offer) if model else None

    def routes(self, request: Request) -> Iterator[Route]:
        """Every way that takes the request, as its routing orders them, then the cheaper first."""
        model = self.catalogue.get(request.model)
        if model is None:
            return
        ways = [
            Route(request, model.id, fit, fit.target, provider)
            for fit in rules.fits(request, model, usable=self._usable)
            if fit.target is not None
            for provider in self._offers.taking(fit.offer.provider, fit.offer.id)
        ]
        order = {name: place for place, name in enumerate(request.routing.order)}
        yield from sorted(ways, key=lambda way: self._rank(way, order))

    def _usable(self, offer: Offer) -> bool:
        return bool(self._offers.taking(offer.provider, offer.id))

    def _rank(self, way: Route, order: dict[str, int]) -> tuple[int, bool, int]:
        cost = way.fit.estimate.micro_usd if way.fit.estimate else DEARER_THAN_ANY
        return order.get(way.fit.offer.provider, len(order)), self._paused(way.provider), cost
