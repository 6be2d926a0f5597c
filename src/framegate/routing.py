"""Where a request goes: which model, by whose offer, with which account; and where next, if that one says no."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from framegate import catalogue as rules
from framegate.catalogue import Catalogue, Fit, Offer
from framegate.errors import InvalidRequest
from framegate.provider import Offers, Provider, foreseen
from framegate.types import Job, Request, Target, Verdict

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
        """What the check says of a request by the catalogue, and by the engine that would make it, if that is ours."""
        verdict = rules.check(request, catalogue=self.catalogue, usable=self._usable)
        way = next(self._ways(request), None) if verdict.ok else None
        return foreseen(verdict, way.provider.foresee(request, way.target)) if way else verdict

    def first(self, request: Request) -> tuple[Route, Verdict]:
        """The first way of the first model that takes the request as it stands: its own, else a fall-back.

        Raises `InvalidRequest` with what the client's own model says.
        """
        own: Verdict | None = None
        for name in (request.model, *request.models):
            asked = replace(request, model=name)
            verdict = self.judge(asked)
            route = next(self._ways(asked), None) if verdict.ok else None
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
            for route in self._ways(asked) if self.judge(asked).ok else ():
                if route.key not in tried:
                    return route
        return None

    def offer(self, job: Job) -> Offer | None:
        """The offer by which a job was judged."""
        model = self.catalogue.get(job.model)
        return model.offer(job.offer) if model else None

    def _usable(self, offer: Offer) -> bool:
        return bool(self._offers.taking(offer.provider))

    def _ways(self, request: Request) -> Iterator[Route]:
        """Every way that takes the request, as its routing orders them, then the cheaper first."""
        model = self.catalogue.get(request.model)
        if model is None:
            return
        ways = [
            Route(request, model.id, fit, fit.target, provider)
            for fit in rules.fits(request, model, usable=self._usable)
            if fit.target is not None
            for provider in self._offers.taking(fit.offer.provider)
        ]
        order = {name: place for place, name in enumerate(request.routing.order)}
        yield from sorted(ways, key=lambda way: self._rank(way, order))

    def _rank(self, way: Route, order: dict[str, int]) -> tuple[int, bool, int]:
        cost = way.fit.estimate.micro_usd if way.fit.estimate else DEARER_THAN_ANY
        return order.get(way.fit.offer.provider, len(order)), self._paused(way.provider), cost
