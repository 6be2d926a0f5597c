"""Base class of the providers over HTTP, and the functions that their adapters share."""

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, cast

from framegate.domain import (
    Done,
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
from framegate.domain.json import as_object, at
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.domain.money import micro_usd, parse_usd
from framegate.net.vendor_client import Response, VendorClient, find_error_message
from framegate.providers.base import Provider
from framegate.providers.references import ReferenceTransport, address, out_of_reach, transport_of

JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")  # safe in a path without escaping
MESSAGE_CHARS_MAX = 1000
FINGERPRINT_CHARS = 16
METADATA_CHARS_MAX = 8192
METADATA_DEPTH_MAX = 6
URL_OR_PATH = re.compile(r"[a-z][a-z0-9+.-]*://|^data:|^/", re.IGNORECASE)
REQUEST_FIELDS = frozenset({"prompt", "input_references", "frame_images", "webhook"})
OPERATOR_FIELDS = frozenset({"user_id", "workspace_id", "team_id", "account_id", "api_key_id", "reservation_id"})

_log = logging.getLogger(__name__)


class HttpProvider(Provider):
    """One account at a service over HTTP.

    A subclass sets `name`, `title` and the service's own `base_url`, and implements `submit` and `poll`.
    CONTRIBUTING.md has an example.
    """

    title: ClassVar[str]  # the service's name as people write it
    model_list_path: ClassVar[str | None] = None  # of the list of models, below the base URL
    status_map: ClassVar[Mapping[str, str]] = {}  # the service's words for the status of an unfinished job: ours
    reference_transports: ClassVar[tuple[ReferenceTransport, ...]] = ("upload",)  # by preference
    propagation_seconds = 120.0  # for this long, the service may not find a new job
    poll_seconds = 10.0
    poll_seconds_max = 30.0

    def __init__(self, account: str, api_key: str = "", base_url: str = "", *, machine: Machine = REAL_MACHINE) -> None:
        self.client = VendorClient(
            base_url or self.base_url,
            headers=self.auth_headers(api_key),
            name=self.title,
            read_error=self.read_error,
            rejected_before_work=self.rejected_before_work,
            machine=machine,
        )
        self.account = account
        self.base_url = self.client.base_url
        self.key_fingerprint = hashlib.sha256(api_key.encode()).hexdigest()[:FINGERPRINT_CHARS] if api_key else ""
        if self.model_list_path is not None:
            self.model_list_url = f"{self.base_url}/{self.model_list_path}"
        self._unknown_statuses: set[str] = set()

    @property
    def clients(self) -> Sequence[VendorClient]:
        """Every HTTP client of the account; a subclass with further ones adds them."""
        return (self.client,)

    # -- what a subclass overrides if its service differs

    def auth_headers(self, api_key: str) -> dict[str, str]:
        """The headers that carry the key."""
        return {"authorization": f"Bearer {api_key}"} if api_key else {}

    def read_error(self, response: Response) -> str:
        """The service's own message in an error response."""
        return find_error_message(response)

    def rejected_before_work(self, response: Response) -> bool:  # noqa: ARG002 - most services promise nothing
        """Whether an error response promises that the order was not accepted."""
        return False

    def transports_for(self, reference: Reference) -> Sequence[ReferenceTransport]:  # noqa: ARG002 - mostly the same for all
        """The ways to hand over this reference, by preference."""
        return self.reference_transports

    # -- the contract

    def preflight(
        self,
        request: Request,
        target: Target,  # noqa: ARG002 - only the references matter
        prepared: Sequence[PreparedReference] = (),
    ) -> Preflight | None:
        """Problems of the references that cannot be handed over."""
        problems = tuple(self._unreachable_references(request, prepared))
        return Preflight(problems=problems) if problems else None

    def _unreachable_references(self, request: Request, prepared: Sequence[PreparedReference]) -> Iterator[Problem]:
        for index, reference in enumerate(request.references):
            file = prepared[index] if prepared else None
            fitted, size_bytes = (file.fitted, file.blob.size_bytes) if file else (False, 0)
            transports = self.transports_for(reference)
            if not transport_of(
                reference, transports, has_signed_url=self.reaches_gateway, fitted=fitted, size_bytes=size_bytes
            ):
                pointer = reference.pointer or f"/references/{index}"
                yield out_of_reach(reference, pointer, self.title, transports, fitted=fitted, size_bytes=size_bytes)

    async def models(self) -> object:
        """The service's list of models."""
        if self.model_list_path is None:
            return await super().models()
        response = await self.client.query("GET", self.model_list_path)
        return at(self.client.require_ok(response).json(), "data")

    async def download(self, file: ProviderFile, into: Path, *, bytes_max: int) -> None:
        """Download a file at the account's own origin."""
        if file.url is None:
            raise ProviderError(f"{self.title} returned no URL of the file.")
        await self.client.download(file.url, into, bytes_max=bytes_max)

    async def close(self) -> None:
        """Close the connections."""
        for client in self.clients:
            await client.close()

    # -- parts of `submit` and `poll`

    async def url_of(self, prepared: PreparedReference) -> str:
        """The URL with which a reference is handed over. Raises `Refused` if there is none."""
        transports = self.transports_for(prepared.reference)
        return await address(prepared, transports, self.title, machine=self.client.machine)

    async def read(self, prepared: PreparedReference) -> bytes:
        """The content of a reference's file."""
        return await self.client.machine.run_in_thread(Path(prepared.path).read_bytes)

    def handle_of(self, job_id: str, **extra: object) -> Handle:
        """The handle of an accepted order."""
        return {"id": job_id, "at": self.client.machine.now(), **without_empty(extra)}

    def not_found(self, handle: Handle) -> Lost:
        """The update if the service does not know the job. Raises `ProviderError` for a job that is very new."""
        if self.client.machine.now() - handle.get("at", 0.0) < self.propagation_seconds:
            raise ProviderError(f"{self.title} does not find the job yet.")
        return Lost()

    def running(self, status: str, progress: object = None) -> Running:
        """The update for an unfinished job. `progress` is in percent; an unknown status is logged once."""
        if status not in self.status_map and status not in self._unknown_statuses:
            self._unknown_statuses.add(status)
            _log.warning("%s: unknown job status %r, treated as running.", self.name, status)
        is_percent = isinstance(progress, int | float) and not isinstance(progress, bool) and 0 <= progress <= 100
        return Running(
            progress=float(cast("float", progress)) / 100 if is_percent else None,
            stage=self.status_map.get(status, "running"),
        )

    def done(
        self,
        handle: Handle,
        urls: Iterable[str],
        response: object,
        *,
        cost_micro_usd: int | None = None,
        notes: Iterable[str] = (),
    ) -> Done:
        """The update for a finished job; `response` is what the service reports of it."""
        return Done(
            outputs=tuple(map(self.output, urls)),
            cost_micro_usd=cost_micro_usd,
            notes=(*handle.get("notes", ()), *notes),
            metadata=self.public_metadata(response),
        )

    def output(self, url: str) -> ProviderFile:
        """A finished file at a URL from a response."""
        url = self.client.absolute(url)
        return ProviderFile(url=url, behind_key=self.client.same_origin(url))

    def public_metadata(self, response: object) -> dict[str, Any]:
        """What the service reports about a finished video, to store beside our own measurements.

        Without the key and the operator's ids, without URLs, which expire and may contain a signature, and without the
        fields of the request; empty if it is too large to store.
        """
        fields = {name: value for name, value in as_object(response).items() if name not in REQUEST_FIELDS}
        text = self.client.without_key(json.dumps(_without_private_parts(fields)))
        return json.loads(text) if len(text) <= METADATA_CHARS_MAX else {}


def job_id_from(response: Response, *path: str) -> str:
    """The job id at `path` in the response to an order.

    Raises `OutcomeUnknown` if there is none: the order was accepted, and its id is unknown.
    """
    try:
        value = at(response.object(), *path)
    except ProviderError as error:
        raise OutcomeUnknown(f"The order was accepted, but the response cannot be read. {error.message}") from error
    if not isinstance(value, str) or not JOB_ID.fullmatch(value):
        raise OutcomeUnknown(f"The order was accepted, but the response has no valid `{'.'.join(path)}`.")
    return value


def failure(message: object, *, code: str = "provider_failed", retryable: bool = False) -> Failed:
    """The update for a job that failed, with the provider's message."""
    text = str(message or "").strip()[:MESSAGE_CHARS_MAX]
    return Failed(fault=Fault(code=code, message=text or "The provider gives no reason.", retryable=retryable))


def cost_from(usd: object) -> int | None:
    """Dollars from a response, as a number or a text, in millionths; None for anything else."""
    amount = parse_usd(usd)
    return None if amount is None else micro_usd(amount)


def job_list(response: Response) -> list[Any]:
    """The jobs in a list response. Raises `OutcomeUnknown` if there is none."""
    jobs = at(response.object(), "data") if response.ok else None
    if not isinstance(jobs, list):
        raise OutcomeUnknown(
            f"It is unknown whether the order was accepted: the list of jobs returned {response.status}."
        )
    return cast("list[Any]", jobs)


def job_created_at(order: Order) -> datetime:
    """When the order's job was created: its id is a UUIDv7 (RFC 9562), which starts with the time."""
    return datetime.fromtimestamp(int(order.job_id.replace("-", "")[:12], 16) / 1000, UTC)


def dropped_option_notes(subject: str, **values: object) -> list[str]:
    """A note for each option that the client set and the service does not have."""
    return [
        f"{subject} has no option `{name}`: the value was not sent."
        for name, value in values.items()
        if value is not None
    ]


def has_reference(order: Order, *roles: Role) -> bool:
    """Whether the order has a reference with one of the roles."""
    return any(prepared.reference.role in roles for prepared in order.references)


def prompt(order: Order) -> str:
    """The prompt as the provider's model reads it."""
    return order.prompt if order.prompt is not None else order.request.prompt or ""


def without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value: services reject null, and use a default for a missing field."""
    return {name: value for name, value in fields.items() if value is not None and value not in ({}, [])}


def _without_private_parts(value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - a JSON value
    """A JSON value without URLs, operator's ids, empty parts and parts that are nested too deep."""
    if isinstance(value, dict):
        fields = {} if depth == METADATA_DEPTH_MAX else cast("dict[str, Any]", value)
        return without_empty(
            {
                name: _without_private_parts(item, depth + 1)
                for name, item in fields.items()
                if name not in OPERATOR_FIELDS
            }
        )
    if isinstance(value, list):
        items = [] if depth == METADATA_DEPTH_MAX else cast("list[Any]", value)
        parts = [_without_private_parts(item, depth + 1) for item in items]
        return [part for part in parts if part is not None and part not in ({}, [])]
    return None if isinstance(value, str) and URL_OR_PATH.search(value) else value
