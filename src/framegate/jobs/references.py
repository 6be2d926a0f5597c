"""References of a request on their way into an order: ingest, validate against an offer's limits, fit."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from framegate.catalogue import Offer
from framegate.catalogue.model import ImageLimits
from framegate.catalogue.rules import clips
from framegate.config.settings import Settings
from framegate.domain import Adjustment, Blob, PreparedReference, Problem, Reference, Request, Role, Target
from framegate.media.decoder import Decoder
from framegate.media.file_info import FitLimits
from framegate.net.fetcher import Fetcher
from framegate.storage import ingest
from framegate.storage.blobs import BlobStore
from framegate.storage.ingest import IngestedReference

FindAsset = Callable[[str, str], Awaitable[Blob | None]]  # by tenant and hash


@dataclass(frozen=True, slots=True)
class PreparedReferences:
    """The references of a request as one offer accepts them, their adjustments, and what cannot be adjusted."""

    references: tuple[PreparedReference, ...]
    adjustments: tuple[Adjustment, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class ReferencePreparer:
    """Ingests references and fits them to an offer."""

    settings: Settings
    blobs: BlobStore
    net: Fetcher
    decoder: Decoder
    find_asset: FindAsset

    async def ingest(self, reference: Reference, index: int, owner: str) -> IngestedReference:
        """Fetch or decode a reference, inspect and store it. Raises `ReferenceUnusable`."""

        async def find_owned_asset(sha256: str) -> Blob | None:
            return await self.find_asset(owner, sha256)

        return await ingest.ingest_reference(
            reference,
            index=index,
            fetcher=self.net,
            blobs=self.blobs,
            decoder=self.decoder,
            settings=self.settings,
            find_asset=find_owned_asset,
        )

    async def inline(
        self, references: Sequence[Reference], owner: str, share: Callable[[Blob], Awaitable[str]]
    ) -> tuple[tuple[Reference, ...], tuple[IngestedReference | None, ...]]:
        """Return references as a job stores them: data URLs become assets of the tenant, whose URLs `share` returns.

        Beside them the ingested ones; None for those that must be fetched first. Raises `ReferenceUnusable`.
        """
        stored: list[Reference] = []
        ingested: list[IngestedReference | None] = []
        for index, reference in enumerate(references):
            if not reference.url[:8].lower().startswith(("data:", "asset://")):
                with ingest.locate_errors(reference.pointer or f"/references/{index}"):
                    self.net.check_url(reference.url)
                stored.append(reference)
                ingested.append(None)
                continue
            asset = await self.ingest(reference, index, owner)
            stored.append(replace(reference, url=await share(asset.blob)))
            ingested.append(asset)
        return tuple(stored), tuple(ingested)

    async def prepare(
        self, request: Request, ingested: Sequence[IngestedReference], offer: Offer | None, *, keep: bool = True
    ) -> PreparedReferences:
        """Fit references to an offer. With `keep` False nothing is stored. Raises `ReferenceUnusable`."""
        limits = fit_limits(offer.limits.images) if offer else FitLimits()
        references: list[PreparedReference] = []
        adjustments: list[Adjustment] = []
        for index, (reference, source) in enumerate(zip(request.references, ingested, strict=True)):
            prepared, adjusted = await ingest.prepare_reference(
                source, reference, index, self.blobs, limits, decoder=self.decoder, keep=keep
            )
            references.append(prepared)
            adjustments.extend(adjusted)
        problems = reference_problems(request, ingested, offer)
        return PreparedReferences(tuple(references), tuple(adjustments), problems)


def reference_problems(
    request: Request, ingested: Sequence[IngestedReference | None], offer: Offer | None
) -> tuple[Problem, ...]:
    """Return the problems of the ingested references that no adjustment solves for an offer."""
    if offer is None:
        return ()
    measured = [
        reference and clips.Measured(size_bytes=reference.blob.size_bytes, seconds=reference.seconds)
        for reference in ingested
    ]
    return tuple(clips.problems(request, measured, offer.limits, f"{request.model} at {offer.provider}"))


def with_source_seconds(
    target: Target, references: Sequence[Reference], ingested: Sequence[IngestedReference]
) -> Target:
    """Return the target with the measured length of the source video that it extends, if it extends one."""
    pairs = zip(references, ingested, strict=True)
    seconds = next((source.seconds or 0.0 for reference, source in pairs if reference.role is Role.SOURCE), None)
    return target if target.source_seconds is None or seconds is None else replace(target, source_seconds=seconds)


def fit_limits(images: ImageLimits) -> FitLimits:
    """Return a model's limits on images in the terms of the media layer."""
    return FitLimits(
        min_side=images.min_side_px,
        max_side=images.max_side_px,
        max_bytes=images.max_bytes,
        min_ratio=images.min_ratio,
        max_ratio=images.max_ratio,
        formats=images.formats or (),
        allows_alpha=images.alpha is not False,
    )
