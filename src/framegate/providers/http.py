"""Base class of the providers over HTTP, and the functions that their adapters share."""

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast
from urllib.parse import quote, urlsplit

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
    Update,
)
from framegate.domain.errors import OutcomeUnknown, ProviderError
from framegate.domain.json import as_list, as_object, at
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.domain.numbers import bounded_number
from framegate.domain.provider_text import clean_line, clean_text, register_secret
from framegate.net.answers import ErrorText, Response, find_error, find_error_message, salvage
from framegate.net.vendor_client import VendorClient
from framegate.providers import statuses
from framegate.providers.base import Provider
from framegate.providers.files import video_urls
from framegate.providers.references import ReferenceTransport, address, out_of_reach, transport_of

ORDER_ID_CHARS_MAX = 4096
STATUS_CHARS_MAX = 100
FILES_SECONDS_MAX = 60.0  # for the URL of a finished file, after which the job fails and its cost is held
ARRIVAL_TOLERANCE = timedelta(minutes=5)  # for a clock that was changed while the gateway was down
FINGERPRINT_CHARS = 16
UNKNOWN_STATUSES_MAX = 100  # that are logged
OUTPUTS_MAX = 16  # files of one job
ENVELOPES = ("data", "result", "response", "job", "video", "task", "order", "output")
ORDER_ID_NAMES = ("id", "job_id", "jobId", "task_id", "taskId", "video_id", "videoId")
UNREADABLE = re.compile("[\ufffd\ud800-\udfff]")  # bytes that were not UTF-8, and lone surrogates
FAULT_CODES = {
    statuses.FAILED: "provider_failed",
    statuses.CANCELLED: "provider_cancelled",
    statuses.EXPIRED: "provider_expired",
    statuses.REFUSED: "content_refused",
}
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
    order_id_path: ClassVar[tuple[str, ...]] = ("id",)  # in the response to an order
    status_map: ClassVar[Mapping[str, str]] = {}  # the service's own status words: those of `statuses`
    reference_transports: ClassVar[tuple[ReferenceTransport, ...]] = ("upload",)  # by preference
    propagation_seconds = 120.0  # for this long, the service may not find a new job
    marks_submission = True
    poll_seconds = 10.0
    poll_seconds_max = 30.0

    def __init__(self, account: str, api_key: str = "", base_url: str = "", *, machine: Machine = REAL_MACHINE) -> None:
        self.client = VendorClient(
            base_url or self.base_url,
            headers=self.auth_headers(api_key),
            name=self.title,
            read_error=self.read_error,
            rejected_before_work=self.rejected_before_work,
            pending_order=self._pending_order,
            machine=machine,
        )
        register_secret(api_key)
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

    def accepted(self, response: Response, **extra: object) -> Handle:
        """The handle of an accepted order. Raises `OutcomeUnknown` if the response has no id."""
        return self.handle_of(order_id_from(response, *self.order_id_path), **extra)

    def _pending_order(self, response: Response) -> str | None:
        """The id of an order that an error response names as not ended; empty if that id is not valid."""
        value = response.value()
        names = {self.order_id_path[-1], *ORDER_ID_NAMES}
        for fields in _envelopes(value):
            is_open = self.meaning_of(fields.get("status")) in (statuses.QUEUED, statuses.RUNNING)
            if is_open and names & fields.keys():
                return find_order_id(value, *self.order_id_path) or ""
        return None

    def handle_of(self, job_id: str, **extra: object) -> Handle:
        """The handle of an accepted order."""
        return {"id": job_id, "at": self.client.machine.now(), **without_empty(extra)}

    def not_found(self, handle: Handle) -> Lost:
        """The update if the service does not know the job. Raises `ProviderError` for a job that is very new."""
        if self.client.machine.now() - handle.get("at", 0.0) < self.propagation_seconds:
            raise ProviderError(f"{self.title} does not find the job yet.")
        return Lost()

    def meaning_of(self, status: object) -> str | None:
        """What the service's status word says, as one of the words of `statuses`; None if that is unknown."""
        return statuses.meaning_of(status, self.status_map)

    def job_in(self, response: Response) -> dict[str, Any]:
        """The job in a response to a poll, also in an envelope. Raises `ProviderError` if there is none."""
        jobs = _envelopes(self.client.require_ok(response).json())
        return next((job for job in jobs if "status" in job), None) or response.object()

    def running(self, status: object, progress: object = None) -> Running:
        """The update for an unfinished job. `progress` is in percent; an unknown status is logged once."""
        meaning = self.meaning_of(status)
        if meaning is None:
            self._log_unknown(status)
        percent = None if isinstance(progress, str) else bounded_number(progress, 100)
        return Running(
            progress=None if percent is None else float(percent) / 100,
            stage=statuses.QUEUED if meaning == statuses.QUEUED else statuses.RUNNING,
        )

    def _log_unknown(self, status: object) -> None:
        word = clean_line(str(status), STATUS_CHARS_MAX)
        if word not in self._unknown_statuses and len(self._unknown_statuses) < UNKNOWN_STATUSES_MAX:
            self._unknown_statuses.add(word)
            _log.warning("%s: unknown job status %r, treated as running.", self.name, word)

    def update(
        self,
        handle: Handle,
        job: Mapping[str, Any],
        *,
        status: object,
        files: Iterable[str],
        error: object = None,
        cost_micro_usd: int | None = None,
        notes: Iterable[str] = (),
        progress: object = None,
    ) -> Update:
        """The update that a job's status says; `job` is what the service reports of it.

        `files` are the URLs of its files where the service documents them. A status that is unknown counts as the end
        if the job has a file or an error next to it, else as running.
        """
        meaning = self.meaning_of(status)
        if meaning is None and (urls := video_urls(job, certain=True)):
            return self.done(handle, urls, job, cost_micro_usd=cost_micro_usd, notes=notes)
        if meaning is None and find_error(error).message:
            self._log_unknown(status)
            return failure(error, may_charge=True)
        if meaning == statuses.COMPLETED:
            return self.done(handle, files, job, cost_micro_usd=cost_micro_usd, notes=notes)
        if meaning in statuses.ENDED:
            return failure(error, code=FAULT_CODES[meaning])
        return self.running(status, progress)

    def done(
        self,
        handle: Handle,
        urls: Iterable[str],
        response: object,
        *,
        cost_micro_usd: int | None = None,
        notes: Iterable[str] = (),
    ) -> Done | Lost:
        """The update for a finished job; `response` is what the service reports of it.

        Without `urls`, its files are searched in the whole response.
        """
        outputs = self._outputs(urls) or self._outputs(video_urls(response))
        notes = (*handle.get("notes", ()), *notes)
        if len(outputs) > OUTPUTS_MAX:
            notes = (*notes, f"The provider names {len(outputs)} files; the first {OUTPUTS_MAX} are stored.")
        if not outputs:
            message = "The provider reports the video as done but names no file. It may charge for it."
            return Lost(code="output_missing", message=message, patience_seconds=FILES_SECONDS_MAX)
        return Done(
            outputs=outputs[:OUTPUTS_MAX],
            cost_micro_usd=cost_micro_usd,
            notes=notes,
            metadata=self.public_metadata(response),
        )

    def _outputs(self, urls: Iterable[str]) -> tuple[ProviderFile, ...]:
        """The finished files; without those whose URL is not one of HTTP."""
        files: list[ProviderFile] = []
        for url in dict.fromkeys(filter(str.strip, urls)):
            with suppress(ProviderError, ValueError):
                file = self.output(url)
                parts = urlsplit(file.url or "")
                files += [file] if parts.scheme in ("https", "http") and parts.hostname else []
        return tuple(files)

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
        public = _without_private_parts(fields)
        return public if len(json.dumps(public)) <= METADATA_CHARS_MAX else {}


def segment(value: object) -> str:
    """An id as one segment of a path."""
    return quote(str(value), safe="")


def order_id_from(response: Response, *path: str) -> str:
    """The order's id at `path` in the response to an order, else wherever the response has it.

    Raises `OutcomeUnknown` if there is none: the order was accepted, and its id is unknown.
    """
    order_id = find_order_id(response.value(), *path) or _valid_id(salvage(response.body, path[-1]))
    if order_id is not None:
        return order_id
    try:
        response.json()
    except ProviderError as error:
        raise OutcomeUnknown(f"The order was accepted, but its id is missing. {error.message}") from error
    raise OutcomeUnknown(f"The order was accepted, but the response has no valid `{'.'.join(path)}`.")


def find_order_id(value: object, *path: str) -> str | None:
    """The order's id in a parsed response: at `path`, else in another envelope, else under a similar name."""
    if order_id := _valid_id(at(value, *path)):
        return order_id
    envelopes = list(_envelopes(value))
    candidates = (fields.get(name) for name in (path[-1], *ORDER_ID_NAMES) for fields in envelopes)
    return next(filter(None, map(_valid_id, candidates)), None)


def _envelopes(value: object, depth: int = 4) -> Iterator[dict[str, Any]]:
    """The objects of a response in which the order itself may be."""
    if not depth:
        return
    for item in as_list(value)[:1]:
        yield from _envelopes(item, depth - 1)
    if fields := as_object(value):
        yield fields
        for name in ENVELOPES:
            yield from _envelopes(fields.get(name), depth - 1)


def _valid_id(value: object) -> str | None:
    """An id as text; None for what cannot be one. Ids are opaque: a number, or any text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    is_path = text.strip() in ("", ".", "..")  # a path with such a segment leads elsewhere
    return None if is_path or len(text) > ORDER_ID_CHARS_MAX or UNREADABLE.search(text) else text


def failure(message: object, *, code: str = "", retryable: bool = False, may_charge: bool = False) -> Failed:
    """The update for a job that failed. `message` is the provider's error: a text, or an object or list that has it."""
    error = find_error(message)
    code = code or FAULT_CODES[statuses.FAILED]
    if code == FAULT_CODES[statuses.FAILED] and statuses.meaning_of(error.code) == statuses.REFUSED:
        code = FAULT_CODES[statuses.REFUSED]
    return Failed(
        fault=Fault(
            code=code,
            message=error.message or _without_reason(error),
            retryable=retryable,
            may_charge=may_charge,
            provider_code=error.code,
        )
    )


def _without_reason(error: ErrorText) -> str:
    return f"The provider's error code is {error.code}." if error.code else "The provider gives no reason."


def job_list(response: Response) -> list[Any]:
    """The jobs in a list response. Raises `OutcomeUnknown` if there is none."""
    jobs = at(response.object(), "data") if response.ok else None
    if not isinstance(jobs, list):
        raise OutcomeUnknown(
            f"It is unknown whether the order was accepted: the list of jobs returned {response.status}."
        )
    return cast("list[Any]", jobs)


def earliest_arrival(order: Order, response: Response) -> datetime:
    """The time, by the clock of the service that sent this response, before which the order cannot have arrived.

    Raises `OutcomeUnknown` if the service does not send its time: its clock and ours cannot be compared.
    """
    if response.sent_at is None:
        raise OutcomeUnknown("The list of jobs has no date, so it is unknown which of them are newer than the order.")
    return response.sent_at - timedelta(seconds=order.age_seconds) - ARRIVAL_TOLERANCE


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
                clean_line(name): _without_private_parts(item, depth + 1)
                for name, item in fields.items()
                if name not in OPERATOR_FIELDS
            }
        )
    if isinstance(value, list):
        items = [] if depth == METADATA_DEPTH_MAX else cast("list[Any]", value)
        parts = [_without_private_parts(item, depth + 1) for item in items]
        return [part for part in parts if part is not None and part not in ({}, [])]
    if not isinstance(value, str):
        return value
    return None if URL_OR_PATH.search(value) else clean_text(value)
