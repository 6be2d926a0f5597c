"""What every service that is reached over HTTP has in common: an account, and files that may lie behind its key."""

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, ClassVar, cast

from framegate.domain import (
    Failed,
    Fault,
    Handle,
    Lost,
    Order,
    Preflight,
    PreparedReference,
    Problem,
    ProviderFile,
    Reference,
    Request,
    Role,
    Running,
    Target,
)
from framegate.domain.errors import OutcomeUnknown, ProviderError
from framegate.net.vendor_client import Response, VendorClient, at
from framegate.providers.base import Provider
from framegate.providers.references import ReferenceTransport, out_of_reach, transport_of

MICRO = 1_000_000
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")  # what may stand in a path as it is
MESSAGE_CHARS_MAX = 1000
MARK_CHARS = 16
METADATA_CHARS_MAX = 8192
DEPTH_MAX = 6
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|^data:|^/", re.IGNORECASE)
HANDED_IN = frozenset({"prompt", "input_references", "frame_images", "webhook"})
OWNER = frozenset(
    {"user_id", "workspace_id", "team_id", "account_id", "api_key_id", "reservation_id"}
)  # the operator's

_log = logging.getLogger(__name__)


class HttpProvider(Provider):
    """One account at one service; `words` are its words for a job that is not over, with ours."""

    poll_seconds = 10.0
    poll_seconds_max = 30.0
    propagation_seconds = 120.0  # for so long a new job may not be known yet to all of the service
    status_map: ClassVar[Mapping[str, str]] = {}
    reference_transports: ClassVar[tuple[ReferenceTransport, ...]] = (
        "upload",
    )  # how it takes references, the best way first

    def __init__(self, upstream: VendorClient, *, account: str, api_key: str = "") -> None:
        self.upstream = upstream
        self.account = account
        self.base_url = upstream.base_url
        self.key_fingerprint = hashlib.sha256(api_key.encode()).hexdigest()[:MARK_CHARS] if api_key else ""
        self._strange: set[str] = set()

    def preflight(
        self,
        request: Request,
        target: Target,  # noqa: ARG002 - what is made has nothing to do with it
        prepared: Sequence[PreparedReference] = (),
    ) -> Preflight | None:
        """The references that the service cannot be handed."""
        problems = tuple(self._out_of_reach(request, prepared))
        return Preflight(problems=problems) if problems else None

    def _out_of_reach(self, request: Request, prepared: Sequence[PreparedReference]) -> Iterator[Problem]:
        for index, reference in enumerate(request.references):
            one = prepared[index] if prepared else None
            fitted, size = (one.fitted, one.blob.size_bytes) if one else (False, 0)
            ways = self.transports_for(reference)
            if transport_of(reference, ways, linked=self.reaches_gateway, fitted=fitted, size_bytes=size) is None:
                place = reference.pointer or f"/references/{index}"
                yield out_of_reach(reference, place, self.upstream.name, ways, fitted=fitted, size_bytes=size)

    def transports_for(self, reference: Reference) -> Sequence[ReferenceTransport]:  # noqa: ARG002 - most take all of them alike
        """How it takes this reference, the best way first."""
        return self.reference_transports

    async def download(self, made: ProviderFile, into: Path, *, bytes_max: int) -> None:
        """Fetch a file that lies at the account's own origin."""
        if made.url is None:
            raise ProviderError(f"{self.name} left no address of the file.")
        await self.upstream.download(made.url, into, bytes_max=bytes_max)

    async def close(self) -> None:
        """End its connections."""
        await self.upstream.close()

    def made(self, url: str) -> ProviderFile:
        """A file at an address out of an answer."""
        url = self.upstream.absolute(url)
        return ProviderFile(url=url, behind_key=self.upstream.same_origin(url))

    def running(self, word: str, progress: object = None) -> Running:
        """A job that is not over, in our words; `progress` is in percent. A word that nobody knows is told once."""
        if word not in self.status_map and word not in self._strange:
            self._strange.add(word)
            _log.warning("%s says %r of a job; it is taken for running.", self.name, word)
        known = isinstance(progress, int | float) and not isinstance(progress, bool) and 0 <= progress <= 100
        return Running(
            progress=float(cast("float", progress)) / 100 if known else None, stage=self.status_map.get(word, "running")
        )

    def public_metadata(self, answer: object) -> dict[str, Any]:
        """What the service tells of a finished video, to be kept beside what we measured.

        Without the key and whose account it is, without addresses, which die and may bear a signature, and without what
        was handed in, which the job has already; nothing where it is too much to keep.
        """
        fields = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        kept = _kept({name: value for name, value in fields.items() if name not in HANDED_IN})
        text = self.upstream.without_key(json.dumps(kept))
        return json.loads(text) if len(text) <= METADATA_CHARS_MAX else {}

    def handle_of(self, job_id: str, **more: object) -> Handle:
        """Return what is stored of an accepted order."""
        return {"id": job_id, "at": self.upstream.machine.now(), **present(more)}

    def unknown(self, handle: Handle) -> Lost:
        """A job that the service does not know; of one that was just made it may only not know yet."""
        if self.upstream.machine.now() - handle.get("at", 0.0) < self.propagation_seconds:
            raise ProviderError(f"{self.name} does not know the job yet.")
        return Lost()


def job_id_from(answer: Response, *path: str) -> str:
    """The id that stands at `path` in the answer to an order.

    Raises `Unsure` where none can be read: the order stands, and nobody knows under which name.
    """
    try:
        value = at(answer.object(), *path)
    except ProviderError as error:
        raise OutcomeUnknown(f"The order was taken, but its answer cannot be read. {error.message}") from error
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise OutcomeUnknown(f"The order was taken, but its answer has no usable `{'.'.join(path)}`.")
    return value


def failure(message: object, *, code: str = "provider_failed", retryable: bool = False) -> Failed:
    """The end of a job without a video, with what the provider says of it."""
    said = str(message or "").strip()[:MESSAGE_CHARS_MAX]
    return Failed(fault=Fault(code=code, message=said or "The provider does not say why.", retryable=retryable))


def micro_usd(usd: object) -> int | None:
    """US dollars, as a number or its text, in millionths; None for what is neither or negative."""
    if isinstance(usd, bool) or not isinstance(usd, int | float | str):
        return None
    try:
        amount = Decimal(str(usd))
    except InvalidOperation:
        return None
    return round(amount * MICRO) if amount.is_finite() and amount >= 0 else None


def _kept(value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - a JSON value
    """A JSON value without its addresses, empty parts and what lies too deep."""
    if isinstance(value, dict):
        fields = {} if depth == DEPTH_MAX else cast("dict[str, Any]", value)
        kept = {name: _kept(item, depth + 1) for name, item in fields.items() if name not in OWNER}
        return {name: item for name, item in kept.items() if item is not None and item not in ({}, [])}
    if isinstance(value, list):
        items = [] if depth == DEPTH_MAX else [_kept(item, depth + 1) for item in cast("list[Any]", value)]
        return [item for item in items if item is not None and item not in ({}, [])]
    return None if isinstance(value, str) and ADDRESS.search(value) else value


def has(order: Order, *roles: Role) -> bool:
    """Whether the order has a reference of one of the roles."""
    return any(prepared.reference.role in roles for prepared in order.references)


def prompt(order: Order) -> str:
    """The prompt in the words of the provider's model."""
    return order.prompt if order.prompt is not None else order.request.prompt or ""


def listed(answer: Response) -> list[Any]:
    """The jobs of a listing. Raises `Unsure` where there is none to read."""
    jobs = at(answer.object(), "data") if answer.ok else None
    if not isinstance(jobs, list):
        raise OutcomeUnknown(
            f"Whether the order was taken cannot be told: the listing of jobs was answered {answer.status}."
        )
    return cast("list[Any]", jobs)


def dropped_option_notes(who: str, **chosen: object) -> list[str]:
    """Sentences about what the client chose and the service lets nobody choose."""
    return [
        f"{who} has no choice of `{name}`: it was not passed on." for name, value in chosen.items() if value is not None
    ]


def made_at(order: Order) -> datetime:
    """When the order's job was made: its id is a UUIDv7 (RFC 9562), which begins with that."""
    return datetime.fromtimestamp(int(order.job_id.replace("-", "")[:12], 16) / 1000, UTC)


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value: services take a missing one for "as usual", and refuse a null."""
    return {name: value for name, value in fields.items() if value is not None and value not in ({}, [])}
