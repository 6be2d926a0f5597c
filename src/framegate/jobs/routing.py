"""Route selection: the model, offer and account for a request, and the fallback after a rejection."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from framegate.catalogue import Catalogue, Fit, Offer, RequestFits, check_offers
from framegate.catalogue.rules.warnings import for_offer
from framegate.domain import Adjustment, Job, Preflight, Problem, Request, Target, Verdict
from framegate.domain.errors import InvalidRequest
from framegate.providers.base import Provider
from framegate.providers.registry import ProviderRegistry

PRICE_UNKNOWN = 1 << 62  # an offer without a known price ranks behind those with one


@dataclass(frozen=True, slots=True)
class Route:
    """An offer and an account that can make what a request asks for."""

    request: Request  # for the model of this route
    model: str  # canonical id
    fit: Fit
    target: Target
    provider: Provider
    warnings: tuple[Problem, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """Identifies it among the routes of one request."""
        return self.model, self.fit.offer.provider, self.provider.account

    def job_fields(self) -> dict[str, Any]:
        """The fields of a job that takes this route."""
        return {
            "model": self.model,
            "offer": self.fit.offer.provider,
            "provider": self.provider.name,
            "account": self.provider.account,
            "target": self.target,
            "estimate": self.fit.estimate,
        }

    def warnings_after(self, warnings: Sequence[Problem]) -> tuple[Problem, ...]:
        """The warnings of a job that took another route before, those about its offer replaced by those about this."""
        return for_offer(warnings, self.request, self.model, self.fit)

    def verdict(
        self,
        preflight: Preflight | None,
        problems: Sequence[Problem] = (),
        adjustments: tuple[Adjustment, ...] = (),
    ) -> Verdict:
        """The verdict on the request by this route, with the problems that were found beside the catalogue's."""
        preflight = preflight or Preflight()
        problems = (*preflight.problems, *problems)
        return Verdict(
            model=self.model,
            problems=problems,
            warnings=(*self.warnings, *preflight.warnings),
            target=None if problems else self.target,
            estimate=None if problems else self.fit.estimate,
            shots=preflight.shots,
            adjustments=adjustments,
        )


ExtraProblems = Callable[[Route], Sequence[Problem]]


def no_extra_problems(_: Route) -> tuple[Problem, ...]:
    """No further problems."""
    return ()


class Candidates:
    """The routes whose offer accepts a request: those of its own model, then those of its fallbacks, in their order.

    Every offer is validated once, when its model's turn comes. `verdict` is the catalogue's on the request's own model.
    """

    def __init__(
        self,
        request: Request,
        catalogue: Catalogue,
        providers: ProviderRegistry,
        is_paused: Callable[[Provider], bool],
    ) -> None:
        self._request = request
        self._catalogue = catalogue
        self._providers = providers
        self._is_paused = is_paused
        self._accounts_by_offer: dict[tuple[str, str], tuple[Provider, ...]] = {}
        self._fits = RequestFits(request, usable=self._usable)
        self.verdict, self._own_fits = check_offers(request, self._fits, catalogue=catalogue)

    def __iter__(self) -> Iterator[Route]:
        yield from self._routes(self._request, self.verdict, self._own_fits)
        for name in dict.fromkeys(self._request.models):
            if name != self._request.model:
                request = replace(self._request, model=name)
                yield from self._routes(request, *check_offers(request, self._fits, catalogue=self._catalogue))

    def select(self, extra_problems: ExtraProblems = no_extra_problems) -> tuple[Verdict, Route | None]:
        """The first route without a problem, and the verdict on the request by it.

        If there is none: the verdict of the first route of all, or the catalogue's if no route accepts the request.
        """
        rejected: Verdict | None = None
        for route in self:
            preflight = route.provider.preflight(route.request, route.target)
            verdict = route.verdict(preflight, extra_problems(route))
            if verdict.ok:
                return verdict, route
            rejected = rejected or verdict
        return self.rejection(rejected), None

    def require(self, extra_problems: ExtraProblems = no_extra_problems) -> tuple[Route, Verdict]:
        """The route that `select` returns. Raises `InvalidRequest` with the verdict's problems if there is none."""
        verdict, route = self.select(extra_problems)
        if route is None:
            raise InvalidRequest(verdict.problems, warnings=verdict.warnings, alternatives=verdict.alternatives)
        return route, verdict

    def rejection(self, first: Verdict | None) -> Verdict:
        """The verdict on a request that no route takes; `first` is that of the first route of all."""
        return first if self.verdict.ok and first else self.verdict

    def _routes(self, request: Request, verdict: Verdict, fits: Sequence[Fit]) -> Iterator[Route]:
        """The routes of the request's model: by the order of its routing, unpaused accounts first, then by price."""
        if not verdict.ok:
            return
        routes = [
            Route(
                request=request,
                model=verdict.model,
                fit=fit,
                target=fit.target,
                provider=provider,
                warnings=for_offer(verdict.warnings, request, verdict.model, fit),
            )
            for fit in fits
            if fit.target is not None
            for provider in self._accounts(fit.offer)
        ]
        order = {name: index for index, name in enumerate(request.routing.order)}
        yield from sorted(routes, key=lambda route: self._rank(route, order))

    def _accounts(self, offer: Offer) -> tuple[Provider, ...]:
        key = (offer.provider, offer.id)
        if key not in self._accounts_by_offer:
            self._accounts_by_offer[key] = self._providers.for_offer(*key)
        return self._accounts_by_offer[key]

    def _usable(self, offer: Offer) -> bool:
        return bool(self._accounts(offer))

    def _rank(self, route: Route, order: dict[str, int]) -> tuple[int, bool, int]:
        cost = route.fit.estimate.micro_usd if route.fit.estimate else PRICE_UNKNOWN
        return order.get(route.fit.offer.provider, len(order)), self._is_paused(route.provider), cost


class Router:
    """Finds the routes of requests among the offers for which an account is configured.

    `paused` is true of an account that accepts no orders for a while: it ranks behind those that do.
    """

    def __init__(
        self, catalogue: Catalogue, providers: ProviderRegistry, *, paused: Callable[[Provider], bool] = lambda _: False
    ) -> None:
        self.catalogue = catalogue
        self._providers = providers
        self._is_paused = paused

    def candidates(self, request: Request) -> Candidates:
        """The routes that accept a request, and the verdict on it."""
        return Candidates(request, self.catalogue, self._providers, self._is_paused)

    def next_route(self, job: Job) -> Route | None:
        """The first route that a job has not attempted and without a preflight problem; None if there is none left."""
        attempted = {(attempt.model, attempt.offer, attempt.account) for attempt in job.fallback_log}
        for route in self.candidates(job.request):
            preflight = route.provider.preflight(route.request, route.target)
            if route.key not in attempted and not (preflight and preflight.problems):
                return route
        return None

    def offer(self, job: Job) -> Offer | None:
        """The offer whose limits hold for a job."""
        model = self.catalogue.get(job.model)
        return model.offer(job.offer) if model else None
