"""References on their way into an order: taken in, held against an offer's limits, and made to fit."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from framegate.catalogue import Offer
from framegate.catalogue.model import ImageLimits
from framegate.catalogue.rules import clips
from framegate.config.settings import Settings
from framegate.domain import Adjustment, Blob, PreparedReference, Problem, Reference, Request, Role, Target
from framegate.media.images import FitLimits
from framegate.net.fetcher import Fetcher
from framegate.storage import ingest
from framegate.storage.blobs import BlobStore
from framegate.storage.ingest import IngestedReference

Asset = Callable[[str, str], Awaitable[Blob | None]]  # the file of an owner with that hash


@dataclass(frozen=True, slots=True)
class PreparedReferences:
    """A request's references as one offer takes them, what was changed of them, and what no change can mend."""

    prepared: tuple[PreparedReference, ...]
    adjustments: tuple[Adjustment, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class ReferencePreparer:
    """Takes references in and makes them ready."""

    settings: Settings
    blobs: BlobStore
    net: Fetcher
    asset: Asset

    async def take(self, reference: Reference, index: int, owner: str) -> IngestedReference:
        """Fetch, read or find a reference, look at it and keep it. Raises `ReferenceUnusable`."""

        async def has_asset(sha256: str) -> Blob | None:
            return await self.asset(owner, sha256)

        return await ingest.ingest_reference(
            reference, index=index, fetcher=self.net, blobs=self.blobs, settings=self.settings, find_asset=has_asset
        )

    async def inline(
        self, given: Sequence[Reference], owner: str, share: Callable[[Blob], Awaitable[str]]
    ) -> tuple[tuple[Reference, ...], tuple[IngestedReference | None, ...]]:
        """References as a job keeps them: what came with the request goes to our files, and by `share` to its owner.

        Beside them what was looked at; None for what must be fetched first. Raises `ReferenceUnusable`.
        """
        kept: list[Reference] = []
        looked_at: list[IngestedReference | None] = []
        for index, reference in enumerate(given):
            if not reference.url[:8].lower().startswith(("data:", "asset://")):
                with ingest.locate_errors(reference.pointer or f"/references/{index}"):
                    self.net.judge(reference.url)
                kept.append(reference)
                looked_at.append(None)
                continue
            taken = await self.take(reference, index, owner)
            kept.append(replace(reference, url=await share(taken.blob)))
            looked_at.append(taken)
        return tuple(kept), tuple(looked_at)

    async def ready(
        self, request: Request, taken: Sequence[IngestedReference], offer: Offer | None, *, keep: bool = True
    ) -> PreparedReferences:
        """Make references fit an offer; `keep` False only tells what would come of it. Raises `ReferenceUnusable`."""
        limits = fit_limits(offer.limits.images) if offer else FitLimits()
        prepared: list[PreparedReference] = []
        adjustments: list[Adjustment] = []
        for index, (reference, one) in enumerate(zip(request.references, taken, strict=True)):
            ready, changed = await ingest.prepare_reference(one, reference, index, self.blobs, limits, keep=keep)
            prepared.append(ready)
            adjustments.extend(changed)
        return PreparedReferences(tuple(prepared), tuple(adjustments), unfit(request, taken, offer))


def unfit(request: Request, taken: Sequence[IngestedReference | None], offer: Offer | None) -> tuple[Problem, ...]:
    """The problems of references, of those that were looked at, that no change can mend for an offer."""
    if offer is None:
        return ()
    measured = [one and clips.Measured(size_bytes=one.blob.size_bytes, seconds=one.seconds) for one in taken]
    return tuple(clips.problems(request, measured, offer.limits, f"{request.model} at {offer.provider}"))


def measured(target: Target, given: Sequence[Reference], taken: Sequence[IngestedReference]) -> Target:
    """The target with the length of the source that it goes on from, if it goes on from one."""
    pairs = zip(given, taken, strict=True)
    seconds = next((one.seconds or 0.0 for reference, one in pairs if reference.role is Role.SOURCE), None)
    return target if target.source_seconds is None or seconds is None else replace(target, source_seconds=seconds)


def fit_limits(images: ImageLimits) -> FitLimits:
    """What a picture is made to fit, of what a model says of its pictures."""
    return FitLimits(
        min_side=images.min_side_px,
        max_side=images.max_side_px,
        max_bytes=images.max_bytes,
        min_ratio=images.min_ratio,
        max_ratio=images.max_ratio,
        formats=images.formats or (),
        allows_alpha=images.alpha is not False,
    )
