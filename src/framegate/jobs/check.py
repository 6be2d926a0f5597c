"""Validation of a request without submitting it, its references and its key's budget included."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace

from framegate.domain import Problem, Request, Verdict
from framegate.domain.errors import BudgetExceeded, ReferenceUnusable
from framegate.jobs.references import ReferencePreparer
from framegate.jobs.routing import Candidates, Route, Router
from framegate.storage.ingest import IngestedReference

BudgetCheck = Callable[[Request, Route, Verdict], Awaitable[BudgetExceeded | None]]


@dataclass(frozen=True, slots=True)
class DryRun:
    """Validates requests. Submits nothing and reserves nothing."""

    router: Router
    preparer: ReferencePreparer

    async def check(self, request: Request, *, owner: str, known: Sequence[Problem], affords: BudgetCheck) -> Verdict:
        """The verdict on a request, all its problems at once; `known` are those found before.

        `affords` returns why the key's budget does not cover a job on the selected route, if it does not.
        """
        candidates = self.router.candidates(request)
        verdict, route = candidates.select()
        ingested, unusable = await self._ingest(request, owner, {problem.pointer for problem in known})
        problems = (*known, *verdict.problems, *unusable)
        if not problems and ingested:
            verdict, route = await self._select_measured(candidates, ingested)
            problems = verdict.problems
        if not problems and route is not None and (exceeded := await affords(request, route, verdict)):
            problems = (Problem(code=exceeded.code, pointer="", message=exceeded.message),)
        return verdict if not problems else replace(verdict, problems=problems, target=None, estimate=None)

    async def _ingest(
        self, request: Request, owner: str, known: Collection[str]
    ) -> tuple[list[IngestedReference], list[Problem]]:
        """The references that can be used, and the problems of the others but for those already known."""
        ingested: list[IngestedReference] = []
        problems: list[Problem] = []
        for index, reference in enumerate(request.references):
            if (reference.pointer or f"/references/{index}") in known:
                continue
            try:
                ingested.append(await self.preparer.ingest(reference, index, owner))
            except ReferenceUnusable as error:
                problems.extend(error.problems)
        return ingested, problems

    async def _select_measured(
        self, candidates: Candidates, ingested: Sequence[IngestedReference]
    ) -> tuple[Verdict, Route | None]:
        """The first route that accepts the references as they were measured; else the verdict of the first route."""
        rejected: Verdict | None = None
        for route in candidates:
            try:
                prepared = await self.preparer.prepare(route.request, ingested, route.fit.offer, keep=False)
            except ReferenceUnusable as error:
                verdict = route.verdict(None, error.problems)
            else:
                preflight = route.provider.preflight(route.request, route.target, prepared.references)
                verdict = route.verdict(preflight, prepared.problems, prepared.adjustments)
            if verdict.ok:
                return verdict, route
            rejected = rejected or verdict
        return candidates.rejection(rejected), None
