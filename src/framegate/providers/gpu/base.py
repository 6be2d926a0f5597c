"""Base class of the operator's GPU servers. Orders are free, so a lost order is submitted again."""

import difflib
import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from framegate.domain import Handle, Order, Preflight, PreparedReference, Problem, Request, Target, Update
from framegate.domain.errors import NotSent, OutcomeUnknown, ProviderError, Refused
from framegate.domain.json import as_list, at
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.domain.provider_text import clean_line
from framegate.media import calls
from framegate.providers.health import probe
from framegate.providers.http import HttpProvider, segment
from framegate.providers.statuses import CANCELLED

OPTIONS_SHOWN = 20  # unknown options with a warning
NAME_CHARS_MAX = 64  # of an option in a warning
MODEL_SECONDS_MAX = 5.0  # for the response that names the served model
INFO_PATHS = ("model_info", "server_info")  # where a server may describe itself besides `v1/models`
NAME_FIELDS = ("served_model_name", "model_path", "model")  # of that description
CACHE_PREFIX = "models--"  # of a model's folder in Hugging Face's cache: models--ORG--NAME
Part = tuple[Any, ...]  # of a multipart body: file name or None, content, and for a file its media type
Parts = dict[str, Part]


@dataclass(frozen=True, slots=True)
class EncodedOrder:
    """An order as a request to the server, and notes on what will differ from the client's request."""

    body: Mapping[str, Any]  # `json=` or `files=` of the request
    notes: tuple[str, ...] = ()


class GpuServer(HttpProvider):
    """One GPU server with OpenAI's video API.

    It serves one model under the name `served_name`, which is asked from time to time.
    """

    status_map: ClassVar[Mapping[str, str]] = {"deleted": CANCELLED}
    # Fields of its response that have the server's default and not the length of the clip.
    unreliable_fields: ClassVar[frozenset[str]] = frozenset({"seconds"})
    option_names: ClassVar[frozenset[str]] = frozenset()  # fields of its video API
    resubmittable = True
    concurrency = 2  # one running and one queued there; the others wait in the gateway, where they survive a restart
    poll_seconds = 2.0
    poll_seconds_max = 10.0
    propagation_seconds = 0.0  # a single process: a job that it does not find is lost
    served_name: str | None = None
    served_models = frozenset()  # until the server says what it serves, it gets no orders
    lists_weights_apart: ClassVar[bool] = False  # whether the list of models lacks the folder of the weights

    def __init__(self, account: str, api_key: str = "", base_url: str = "", *, machine: Machine = REAL_MACHINE) -> None:
        super().__init__(account, api_key, base_url.rstrip("/").removesuffix("/v1"), machine=machine)

    async def names(self) -> tuple[str, ...]:
        """The names of the served model, first the one for orders; the folder of its weights is one of them.

        Raises `ProviderError` if no part of the server says what it serves.
        """
        names: dict[str, None] = {}
        failure: ProviderError | None = None
        for path in ("v1/models", *INFO_PATHS):
            if names and path in INFO_PATHS and not self.lists_weights_apart:
                break
            try:
                names |= dict.fromkeys(_names(await self._get(path)))
            except ProviderError as error:
                failure = failure or error
        if not names:
            raise failure or ProviderError(f"{self.title} does not report which model it serves.")
        return tuple(names)

    async def submit(self, order: Order) -> Handle:
        """Submit the order, after a check that the server serves its model: it may ignore the model of an order.

        If its outcome is unknown, it cost nothing and counts as not sent.
        """
        encoded = await self.encode(order)
        try:
            names = await self.names()
        except ProviderError as error:
            message = f"No order was sent, because it is unknown which model the server serves. {error.message}"
            connect_failed = type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout")
            raise NotSent(message, connect_failed=connect_failed) from error
        if order.model_id not in match_served_models(names, [order.model_id]):
            raise Refused(f"This {self.title} server serves {names[0]}, not {order.model_id}.")
        if names[0] != self.served_name:
            self.served_name = names[0]
            encoded = await self.encode(order)  # with the name that orders must carry
        headers = {"idempotency-key": order.key}
        try:
            response = await self.client.submit("POST", "v1/videos", headers=headers, **encoded.body)
            return self.accepted(response, served=names[0], notes=list(encoded.notes))
        except OutcomeUnknown as error:
            raise NotSent(f"{error.message} It is free, so it will be submitted again.") from error

    def preflight(
        self, request: Request, target: Target, prepared: Sequence[PreparedReference] = ()
    ) -> Preflight | None:
        """Problems of the references, and a warning for each option that the server does not know and would ignore."""
        known = super().preflight(request, target, prepared) or Preflight()
        warnings = tuple(self._unknown_options(request))
        return replace(known, warnings=(*known.warnings, *warnings)) if known.problems or warnings else None

    def _unknown_options(self, request: Request) -> Iterator[Problem]:
        for name in list(request.options.get(self.name, {}))[:OPTIONS_SHOWN]:
            if name in self.option_names:
                continue
            similar = difflib.get_close_matches(name[:NAME_CHARS_MAX], self.option_names, n=1)
            hint = f" Did you mean `{similar[0]}`?" if similar else ""
            shown = f"provider.options.{self.name}.{name[:NAME_CHARS_MAX]}"
            message = f"{shown} is not an option of {self.title}, which ignores unknown ones.{hint}"
            nearest = similar[0] if similar else None
            pointer = f"/provider/options/{self.name}/{name[:NAME_CHARS_MAX]}"
            yield Problem(code="option_unknown", pointer=pointer, message=message, nearest=nearest)

    async def poll(self, handle: Handle) -> Update:
        """Get the job's status. The response for a failed job may have an error status, and the job as its body."""
        response = await self.client.query("GET", f"v1/videos/{segment(handle['id'])}", any_status=True)
        job = response.fields()
        if job.get("object") != "video" and not (response.ok and "status" in job):
            if response.status == 404:
                return self.not_found(handle)
            raise ProviderError(self.client.error_message(response))
        error = job.get("error") or ("The job was deleted on the server." if job.get("status") == "deleted" else None)
        served = {"served_model": public_name(str(handle["served"]))} if "served" in handle else {}
        return self.update(
            handle,
            {**served, **{name: value for name, value in job.items() if name not in self.unreliable_fields}},
            status=job.get("status"),
            files=self.file_urls(job, handle),
            error=error,
            cost_micro_usd=0,
            progress=self.progress(job),
        )

    async def probe(self) -> str:
        """Ask which model is served, and remember it."""
        await probe(
            self.client, "v1/models", is_expected=lambda response: response.ok and bool(_names(response.fields()))
        )
        names = await self.names()
        self.served_name, self.served_models = names[0], frozenset(names)
        return f"it serves {clean_line(names[0])}"

    @abstractmethod
    async def encode(self, order: Order) -> EncodedOrder:
        """The order as a request. Raises `Refused` for what the server cannot express."""

    @abstractmethod
    def file_urls(self, job: dict[str, Any], handle: Handle) -> Iterable[str]:
        """The URLs of the finished files."""

    def model(self, order: Order) -> str:
        """The server's name of the order's model."""
        return self.served_name or order.model_id

    def options(self, order: Order) -> Mapping[str, Any]:
        """The options of the request for this server."""
        return order.request.options.get(self.name, {})

    def progress(self, job: dict[str, Any]) -> object:
        """The job's progress in percent; None if the server does not really report it."""
        return job.get("progress")

    async def frame_png(self, prepared: PreparedReference, order: Order) -> tuple[bytes, list[str]]:
        """A frame as a PNG in the size of the video, and a note of what was changed."""
        size = order.target.width, order.target.height
        data, change = await self.decoder.run(calls.frame_png, Path(prepared.path), size)
        frame = prepared.reference.role.replace("_", " ")
        return data, [f"The {frame} ({prepared.width}x{prepared.height}) was {change}."] if change else []

    async def _get(self, path: str) -> dict[str, Any]:
        response = await self.client.query("GET", path, seconds_max=MODEL_SECONDS_MAX)
        return self.client.require_ok(response).object()


def seed_of(order: Order) -> tuple[int, list[str]]:
    """The order's seed, and a note if it was chosen at random: a resubmitted order has the same one."""
    if order.target.seed is not None:
        return order.target.seed, []
    seed = int.from_bytes(hashlib.sha256(order.key.encode()).digest()[:4], "big") >> 1
    return seed, [f"The seed is {seed}, chosen at random. Request this seed to get the same clip again."]


def form_parts(fields: Mapping[str, Any], options: Mapping[str, Any], server: str) -> Parts:
    """The parts of a multipart body. Raises `Refused` for an option that duplicates a field."""
    reject_duplicates(options, fields, server)
    return {name: (None, _text(value)) for name, value in {**fields, **options}.items() if value is not None}


def reject_duplicates(options: Mapping[str, Any], fields: Mapping[str, Any], server: str) -> Mapping[str, Any]:
    """The options. Raises `Refused` for one that duplicates a field of the request."""
    if duplicates := sorted(set(fields) & set(options)):
        raise Refused(f"provider.options.{server}.{duplicates[0]} duplicates a field of the request. Omit the option.")
    return options


def _text(value: Any) -> str:  # noqa: ANN401 - a JSON value
    return value if isinstance(value, str) else json.dumps(value)


def match_served_models(names: Iterable[str], ids: Iterable[str]) -> frozenset[str]:
    """Return the names that a server reports, and the offer ids that they stand for.

    Weights are often in a folder named after the model: `/models/Wan2.2-I2V-A14B-Diffusers`.
    """
    names = tuple(names)
    folders = {folder.lower() for name in names for folder in _folders(name)}
    return frozenset(names) | {offer_id for offer_id in ids if offer_id.rpartition("/")[2].lower() in folders}


def public_name(name: str) -> str:
    """Return the name of a served model without the folders of the operator's machine."""
    is_path = name.startswith(("/", "~", ".")) or "\\" in name or name[1:2] == ":"
    return next(iter(_folders(name))) if is_path else name


def _folders(name: str) -> Iterable[str]:
    parts = name.replace("\\", "/").rstrip("/").split("/")
    yield parts[-1]
    yield from (part.rpartition("--")[2] for part in parts if part.startswith(CACHE_PREFIX))


def _names(answer: dict[str, Any]) -> tuple[str, ...]:
    """The names in a list of models, or in the description of a server."""
    names = [at(row, key) for row in as_list(answer.get("data")) for key in ("id", "root")]
    names += [at(part, key) for part in (answer, answer.get("server_args")) for key in NAME_FIELDS]
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name))
