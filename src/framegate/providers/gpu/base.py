"""What servers of one's own have in common: their orders are free, so a lost one is simply made again."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import anyio.to_thread

from framegate.domain import Done, Handle, Order, PreparedReference, ProviderFile, Update
from framegate.domain.errors import NotSent, OutcomeUnknown, ProviderError, Refused
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.media import letterbox
from framegate.net.vendor_client import VendorClient, at
from framegate.providers.health import fields, look
from framegate.providers.http import HttpProvider, failure, job_id_from

NAMES_SECONDS_MAX = 5.0
Parts = dict[str, tuple[Any, ...]]  # of a multipart body: a file's name or None, what it holds, and its media type


@dataclass(frozen=True, slots=True)
class EncodedOrder:
    """An order in a server's words, and what will be made otherwise than asked."""

    request: Mapping[str, Any]  # its `json`, or the parts of its form as `files`
    notes: tuple[str, ...] = ()


class GpuServer(HttpProvider):
    """One server that renders on a GPU of one's own, with OpenAI's paths and words for videos.

    It serves one model, under the name `called`; which one that is it is asked from time to time.
    """

    title: str  # as people write its name
    resubmittable = True
    concurrency = 2  # one that is made and one that waits there; the others wait here, where nothing is lost
    poll_seconds = 2.0
    poll_seconds_max = 10.0
    propagation_seconds = 0.0  # it is one process: what it does not know is gone
    status_map: ClassVar[Mapping[str, str]] = {"queued": "queued", "in_progress": "running"}
    served_name: str | None = None

    def __init__(self, account: str, api_key: str, base_url: str, *, machine: Machine = REAL_MACHINE) -> None:
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        upstream = VendorClient(
            base_url.rstrip("/").removesuffix("/v1"), headers=headers, name=self.title, machine=machine
        )
        super().__init__(upstream, account=account, api_key=api_key)

    async def names(self) -> tuple[str, ...]:
        """What its one model is called there, first as orders call it; where the model lies is one of the names."""
        names = _names(await self._told("v1/models"))
        if not names:
            raise ProviderError(f"{self.title} does not say which model it serves.")
        return names

    async def submit(self, order: Order) -> Handle:
        """Place the order. One whose fate is unknown cost nothing, so it counts as not sent and is made again."""
        if self.served_models is not None and order.model_id not in self.served_models:
            raise Refused(f"{self.title} serves {self.served_name} here, not {order.model_id}.")
        written = await self.request(order)
        headers = {"idempotency-key": order.key}
        try:
            answer = await self.upstream.submit("POST", "v1/videos", headers=headers, **written.request)
            return self.handle_of(job_id_from(answer, "id"), notes=list(written.notes))
        except OutcomeUnknown as error:
            raise NotSent(f"{error.message} It costs nothing, so it is made again.") from error

    async def poll(self, handle: Handle) -> Update:
        """Look at the job. A failed one may be answered with an error's status, the job as its body."""
        answer = await self.upstream.query("GET", f"v1/videos/{handle['id']}", any_status=True)
        try:
            job = answer.object()
        except ProviderError:
            job = {}
        if job.get("object") != "video" and not (answer.ok and "status" in job):
            if answer.status == 404:
                return self.unknown(handle)
            raise ProviderError(self.upstream.error_message(answer))
        match job.get("status"):
            case "completed":
                notes = tuple(handle.get("notes", ()))
                return Done(
                    outputs=tuple(self.files(job, handle)),
                    cost_micro_usd=0,
                    notes=notes,
                    metadata=self.public_metadata(job),
                )
            case "failed":
                return failure(at(job, "error", "message") or job.get("error"))
            case "deleted":
                return failure("The job was deleted at the server.", code="provider_cancelled")
            case word:
                return self.running(str(word), self.progress(job))

    async def probe(self) -> str:
        """Ask which model is served, which is then known here too."""
        await look(self.upstream, "v1/models", known=lambda answer: answer.ok and bool(_names(fields(answer))))
        names = await self.names()
        self.served_name, self.served_models = names[0], frozenset(names)
        return f"it serves {names[0]}"

    @abstractmethod
    async def request(self, order: Order) -> EncodedOrder:
        """The order in the server's words. Raises `Refused` for what it has no words for."""

    @abstractmethod
    def files(self, job: dict[str, Any], handle: Handle) -> list[ProviderFile]:
        """Where the finished files lie."""

    def model(self, order: Order) -> str:
        """What the server calls the order's model."""
        return self.served_name or order.model_id

    def options(self, order: Order) -> Mapping[str, Any]:
        """What the request says in the server's own words."""
        return order.request.options.get(self.name, {})

    def progress(self, job: dict[str, Any]) -> object:
        """How far the job is, in percent; None where the server does not really tell."""
        return job.get("progress")

    async def _told(self, path: str) -> dict[str, Any]:
        answer = await self.upstream.query("GET", path, seconds_max=NAMES_SECONDS_MAX)
        if not answer.ok:
            raise ProviderError(self.upstream.error_message(answer))
        return answer.object()


def seed_of(order: Order) -> tuple[int, list[str]]:
    """The order's seed, and a note where it was drawn here: the same however often the order is made."""
    if order.target.seed is not None:
        return order.target.seed, []
    seed = int.from_bytes(hashlib.sha256(order.key.encode()).digest()[:4], "big") >> 1
    return seed, [f"The seed is {seed}, drawn by chance: ask for it to have the same clip again."]


async def frame_file(prepared: PreparedReference, order: Order) -> tuple[bytes, list[str]]:
    """A frame of the video as a PNG in its size, and a note of what was changed for that."""
    size = order.target.width, order.target.height
    image, change = await anyio.to_thread.run_sync(letterbox.fit_frame, Path(prepared.path), size)
    data = await anyio.to_thread.run_sync(letterbox.encode_png, image)
    what = prepared.reference.role.replace("_", " ")
    return data, [f"The {what} ({prepared.width}x{prepared.height}) was {change}."] if change else []


def form(fields: Mapping[str, Any], options: Mapping[str, Any], name: str) -> Parts:
    """The parts of a multipart body. Raises `Refused` for an option that says again what the request says."""
    reject_duplicates(options, fields, name)
    return {key: (None, _text(value)) for key, value in {**fields, **options}.items() if value is not None}


def reject_duplicates(options: Mapping[str, Any], fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The options. Raises `Refused` for one that says again what the request says."""
    if twice := sorted(set(fields) & set(options)):
        raise Refused(f"provider.options.{name}.{twice[0]}: the request itself says this. Leave the option out.")
    return options


def _text(value: Any) -> str:  # noqa: ANN401 - a JSON value
    return value if isinstance(value, str) else json.dumps(value)


def _names(told: dict[str, Any]) -> tuple[str, ...]:
    found = [row.get(key) for row in _rows(told.get("data")) for key in ("id", "root")]
    return tuple(dict.fromkeys(name for name in found if isinstance(name, str) and name))


def _rows(value: object) -> list[dict[str, Any]]:
    rows = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]
