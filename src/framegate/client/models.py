"""Answers of the gate, read into values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from framegate.client import errors
from framegate.domain import Event, Problem, State, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, whole."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:  # noqa: ANN401 - JSON is what it is
        """The body as JSON; an answer that is none did not come from a gate."""
        try:
            return json.loads(self.content) if self.content else None
        except ValueError as error:
            kind = self.headers.get("content-type", "something without a type")
            raise errors.Unreachable(
                f"The answer (HTTP {self.status}) is {kind}, not JSON. Does this address lead to a Framegate?"
            ) from error

    def checked(self) -> "Reply":
        """Return the answer, or raise what it says went wrong."""
        if self.status < 300:
            return self
        raise errors.error_from_response(self.status, self.json())


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What the gate says of a request, without placing it."""

    ok: bool
    model: str
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    alternatives: tuple[str, ...]  # models that would take the request as it stands
    cost_usd: float | None  # expected; None where no price is known
    shots: tuple[Mapping[str, Any], ...]  # what the renderer reads in the prompt, shot by shot, where it tells
    adjustments: tuple[Mapping[str, Any], ...]  # what would be changed of the references so that they fit
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file that the gate keeps; `url` is what a reference says to use it."""

    url: str
    raw: Mapping[str, Any]


class Record:
    """One line of the model list."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw

    @property
    def id(self) -> str:
        """The canonical id."""
        return str(self.raw["id"])

    @property
    def name(self) -> str:
        """The name to show."""
        return str(self.raw.get("name") or self.id)

    def __repr__(self) -> str:
        return f"<Record {self.id}>"


class JobView:
    """What is known of a job since it was last looked at."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.raw["id"])

    @property
    def status(self) -> Status:
        """The public status."""
        return Status(self.raw["status"])

    @property
    def over(self) -> bool:
        """Whether the job never changes again."""
        return self.status not in (Status.PENDING, Status.IN_PROGRESS)

    @property
    def stage(self) -> str:
        """What is being done, in a word."""
        return str(self.raw.get("stage") or self.status)

    @property
    def progress(self) -> float | None:
        """From 0 to 1; None where the provider does not tell."""
        return _share(self.raw.get("progress"))

    @property
    def model(self) -> str:
        """The canonical id of the model."""
        return str(self.raw.get("model") or "")

    @property
    def provider(self) -> str:
        """Who makes the video; empty until that is settled."""
        return str(self.raw.get("provider") or "")

    @property
    def prompt(self) -> str:
        """What was asked for."""
        return str(self.raw.get("prompt") or "")

    @property
    def error(self) -> str | None:
        """Why there is no video."""
        return self.raw.get("error")

    @property
    def error_code(self) -> str | None:
        """The same in a word that a program can read."""
        return self.raw.get("error_code")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Rules that the request turned out to break."""
        return errors.problems(self.raw.get("problems"))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What the client should know."""
        return errors.problems(self.raw.get("warnings"))

    @property
    def cost_usd(self) -> float | None:
        """What the video cost, once that is known."""
        usage = self.raw.get("usage")
        return cast("Mapping[str, Any]", usage).get("cost") if isinstance(usage, Mapping) else None

    @property
    def outputs(self) -> list[Mapping[str, Any]]:
        """The finished files: size, length, checksum of each."""
        return list(self.raw.get("outputs") or ())

    def sha256(self, index: int = 0) -> str | None:
        """The checksum of a finished file, if the gate told it."""
        outputs = self.outputs
        return outputs[index].get("sha256") if index < len(outputs) else None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"


def check_result(raw: Mapping[str, Any]) -> CheckResult:
    """Read the answer of a check."""
    estimate = raw.get("estimate")
    cost = cast("Mapping[str, Any]", estimate).get("usd") if isinstance(estimate, Mapping) else None
    return CheckResult(
        ok=bool(raw["ok"]),
        model=str(raw.get("model") or ""),
        problems=errors.problems(raw.get("problems")),
        warnings=errors.problems(raw.get("warnings")),
        alternatives=tuple(str(name) for name in raw.get("alternatives") or ()),
        cost_usd=None if cost is None else float(cost),
        shots=tuple(raw.get("shots") or ()),
        adjustments=tuple(raw.get("adjustments") or ()),
        raw=raw,
    )


def parse_event(job_id: str, seq: str, data: str) -> Event | None:
    """Read one server-sent event; None for one that tells no state."""
    try:
        raw = json.loads(data)
        state = State(raw["state"])
        return Event(
            job_id=job_id,
            seq=int(seq or raw["seq"]),
            at=float(raw["at"]),
            state=state,
            stage=str(raw["stage"]),
            progress=_share(raw.get("progress")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _share(percent: float | None) -> float | None:
    return None if percent is None else round(percent / 100, 4)
