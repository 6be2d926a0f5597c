"""What servers of one's own have in common: their orders are free, so a lost one is simply made again."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from framegate.errors import NotSent, ProviderError, Refused, Unsure
from framegate.providers.service import Service, accepted, failed, handle_of
from framegate.types import Done, Handle, Made, Order, Update
from framegate.upstream import Upstream, at

FRAMES_STEP = 4  # a latent frame stands for four, and one more begins the clip


class Engine(Service):
    """One server that renders on a GPU of one's own, with OpenAI's paths and words for videos."""

    title: str  # as people write its name
    repeatable = True
    concurrency = 2  # one that is made and one that waits there; the others wait here, where nothing is lost
    poll_seconds = 2.0
    poll_seconds_max = 10.0
    young_seconds = 0.0  # it is one process: what it does not know is gone
    words: ClassVar[Mapping[str, str]] = {"queued": "queued", "in_progress": "running"}

    def __init__(self, account: str, api_key: str, base_url: str) -> None:
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        upstream = Upstream(base_url.rstrip("/").removesuffix("/v1"), headers=headers, name=self.title)
        super().__init__(upstream, account=account, api_key=api_key)

    async def submit(self, order: Order) -> Handle:
        """Place the order. One whose fate is unknown cost nothing, so it counts as not sent and is made again."""
        request = await self.request(order)
        headers = {"idempotency-key": order.key}
        try:
            answer = await self.upstream.order("POST", "v1/videos", headers=headers, **request)
            return handle_of(accepted(answer, "id"), notes=self.notes(order))
        except Unsure as error:
            raise NotSent(f"{error.message} It costs nothing, so it is made again.") from error

    async def poll(self, handle: Handle) -> Update:
        """Look at the job. A failed one may be answered with an error's status, the job as its body."""
        answer = await self.upstream.ask("GET", f"v1/videos/{handle['id']}", any_status=True)
        try:
            job = answer.object()
        except ProviderError:
            job = {}
        if job.get("object") != "video" and not (answer.ok and "status" in job):
            if answer.status == 404:
                return self.unknown(handle)
            raise ProviderError(self.upstream.said(answer))
        match job.get("status"):
            case "completed":
                notes = tuple(handle.get("notes", ()))
                return Done(
                    outputs=tuple(self.files(job, handle)), cost_micro_usd=0, notes=notes, metadata=self.told(job)
                )
            case "failed":
                return failed(at(job, "error", "message") or job.get("error"))
            case "deleted":
                return failed("The job was deleted at the server.", code="provider_cancelled")
            case word:
                return self.running(str(word), self.progress(job))

    @abstractmethod
    async def request(self, order: Order) -> dict[str, Any]:
        """The order in the server's words: its `json`, or the parts of its form as `files`."""

    @abstractmethod
    def files(self, job: dict[str, Any], handle: Handle) -> list[Made]:
        """Where the finished files lie."""

    def notes(self, order: Order) -> list[str]:
        """What will be made otherwise than asked."""
        made, asked = frames(order), order.target.frames
        return [] if made == asked else [f"The clip has {made} frames, not {asked}: the model makes 4n + 1."]

    def progress(self, job: dict[str, Any]) -> object:
        """How far the job is, in percent; None where the server does not really tell."""
        return job.get("progress")


def frames(order: Order) -> int:
    """The least number of frames that the engine can make and that holds the clip: 4n + 1."""
    wanted = order.target.frames
    return wanted + (1 - wanted) % FRAMES_STEP


def form(fields: Mapping[str, Any], options: Mapping[str, Any], name: str) -> dict[str, tuple[None, str]]:
    """The parts of a multipart body. Raises `Refused` for an option that says again what the request says."""
    if twice := sorted(set(fields) & set(options)):
        raise Refused(f"provider.options.{name}.{twice[0]}: the request itself says this. Leave the option out.")
    return {key: (None, _text(value)) for key, value in {**fields, **options}.items() if value is not None}


def _text(value: Any) -> str:  # noqa: ANN401 - a JSON value
    return value if isinstance(value, str) else json.dumps(value)
