"""What the gate says of a request before anything is placed, with a look at its references and at its key's budget."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from framegate.domain import Problem, Request, Verdict
from framegate.domain.errors import BudgetExceeded, ReferenceUnusable
from framegate.jobs.references import ReferencePreparer
from framegate.jobs.routing import Route, Router
from framegate.storage.ingest import IngestedReference

Affords = Callable[[Request, Route, Verdict], Awaitable[BudgetExceeded | None]]


@dataclass(frozen=True, slots=True)
class DryRun:
    """Judges requests. Places nothing, orders nothing, reserves nothing."""

    router: Router
    preparer: ReferencePreparer

    async def check(self, request: Request, *, owner: str, known: Sequence[Problem], affords: Affords) -> Verdict:
        """The verdict on a request of which `known` problems stand already, every other one beside them.

        `affords` says of the way that it would go why the key's budget does not reach for it.
        """
        verdict, route = self.router.decide(request)
        taken, unusable = await self._taken(request, owner)
        problems = (*known, *verdict.problems, *unusable)
        if not problems and taken:
            verdict, route = await self._looked_at(request, taken)
            problems = verdict.problems
        if not problems and route is not None and (refused := await affords(request, route, verdict)):
            problems = (Problem(code=refused.code, pointer="", message=refused.message),)
        return verdict if not problems else replace(verdict, problems=problems, target=None, estimate=None)

    async def _taken(self, request: Request, owner: str) -> tuple[list[IngestedReference], list[Problem]]:
        taken: list[IngestedReference] = []
        problems: list[Problem] = []
        for index, reference in enumerate(request.references):
            try:
                taken.append(await self.preparer.take(reference, index, owner))
            except ReferenceUnusable as error:
                problems.extend(error.problems)
        return taken, problems

    async def _looked_at(self, request: Request, taken: Sequence[IngestedReference]) -> tuple[Verdict, Route | None]:
        """The verdict of the first way that takes the references as they are, if any does; else of the first at all."""
        own, first = self.router.check(request), None
        for verdict, route in self.router.candidates(request, own):
            try:
                ready = await self.preparer.ready(route.request, taken, route.fit.offer, keep=False)
            except ReferenceUnusable as error:
                seen = replace(verdict, problems=error.problems)
            else:
                sight = route.provider.preflight(route.request, route.target, ready.prepared)
                seen = replace(route.verdict(verdict, sight, ready.problems), adjustments=ready.adjustments)
            if seen.ok:
                return seen, route
            first = first or seen
        return first if own.ok and first else own, None
