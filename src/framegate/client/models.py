"""Responses of the gateway as values, and the exceptions for jobs that ended without a video."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from framegate.client import errors
from framegate.domain import Event, Problem, State, Status
from framegate.domain.errors import FramegateError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:  # noqa: ANN401 - JSON is what it is
        """The body as JSON. Raises `Unreachable` for a body that is not, which does not come from a gateway."""
        try:
            return json.loads(self.content) if self.content else None
        except ValueError as error:
            media_type = self.headers.get("content-type", "without a content type")
            raise errors.Unreachable(
                f"The response (HTTP {self.status}) is {media_type}, not JSON. Check the address of the gateway."
            ) from error

    def checked(self) -> "Reply":
        """The response itself. Raises the exception for an error response."""
        if self.status < 300:
            return self
        raise errors.error_from_response(self.status, self.json())


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The outcome of validating a request without submitting it."""

    ok: bool
    model: str
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    alternatives: tuple[str, ...]  # models that accept this request unchanged
    cost_usd: float | None  # estimated; None if no price is known
    shots: tuple[Mapping[str, Any], ...]  # the shots that the animatic renderer reads in the prompt
    adjustments: tuple[Mapping[str, Any], ...]  # changes to the references that make them acceptable
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file stored at the gateway; `url` refers to it in a request."""

    url: str
    raw: Mapping[str, Any]


class ModelRecord:
    """One model of the model list."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw

    @property
    def id(self) -> str:
        """The canonical id."""
        return str(self.raw["id"])

    @property
    def name(self) -> str:
        """The display name."""
        return str(self.raw.get("name") or self.id)

    def __repr__(self) -> str:
        return f"<ModelRecord {self.id}>"


class JobView:
    """A job as of the last response."""

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
    def is_final(self) -> bool:
        """Whether the job has ended, so that its state no longer changes."""
        return self.status not in (Status.PENDING, Status.IN_PROGRESS)

    @property
    def stage(self) -> str:
        """The current stage, such as `rendering`."""
        return str(self.raw.get("stage") or self.status)

    @property
    def progress(self) -> float | None:
        """From 0 to 1; None if the provider does not report it."""
        return _fraction(self.raw.get("progress"))

    @property
    def model(self) -> str:
        """The canonical id of the model."""
        return str(self.raw.get("model") or "")

    @property
    def provider(self) -> str:
        """The provider; empty until it is chosen."""
        return str(self.raw.get("provider") or "")

    @property
    def prompt(self) -> str:
        """The prompt."""
        return str(self.raw.get("prompt") or "")

    @property
    def error(self) -> str | None:
        """Why there is no video."""
        return self.raw.get("error")

    @property
    def error_code(self) -> str | None:
        """The error code."""
        return self.raw.get("error_code")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Rules that the request breaks, as found later."""
        return errors.parse_problems(self.raw.get("problems"))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Warnings about the request or the finished job."""
        return errors.parse_problems(self.raw.get("warnings"))

    @property
    def cost_usd(self) -> float | None:
        """The cost, once it is known."""
        usage = self.raw.get("usage")
        return cast("Mapping[str, Any]", usage).get("cost") if isinstance(usage, Mapping) else None

    @property
    def outputs(self) -> list[Mapping[str, Any]]:
        """The finished files with size, duration and checksum."""
        return list(self.raw.get("outputs") or ())

    def sha256(self, index: int = 0) -> str | None:
        """The checksum of a finished file; None if the gateway does not report it."""
        outputs = self.outputs
        return outputs[index].get("sha256") if index < len(outputs) else None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"


class JobEnded(FramegateError):
    """The job ended without a video."""

    code = "job_ended"

    def __init__(self, job: JobView) -> None:
        self.job = job
        self.problems = job.problems
        super().__init__(job.error or "", code=job.error_code or "")


class JobFailed(JobEnded):
    """The job failed."""

    code = "job_failed"


class JobCancelled(JobEnded):
    """The job was cancelled."""

    code = "cancelled"


class JobExpired(JobEnded):
    """The job did not end before its deadline."""

    code = "expired"


ERRORS_OF_ENDS: Mapping[Status, type[JobEnded]] = {
    Status.FAILED: JobFailed,
    Status.CANCELLED: JobCancelled,
    Status.EXPIRED: JobExpired,
}


def check_result(raw: Mapping[str, Any]) -> CheckResult:
    """Read the response to a check."""
    estimate = raw.get("estimate")
    cost = cast("Mapping[str, Any]", estimate).get("usd") if isinstance(estimate, Mapping) else None
    return CheckResult(
        ok=bool(raw["ok"]),
        model=str(raw.get("model") or ""),
        problems=errors.parse_problems(raw.get("problems")),
        warnings=errors.parse_problems(raw.get("warnings")),
        alternatives=tuple(str(name) for name in raw.get("alternatives") or ()),
        cost_usd=None if cost is None else float(cost),
        shots=tuple(raw.get("shots") or ()),
        adjustments=tuple(raw.get("adjustments") or ()),
        raw=raw,
    )


def parse_event(job_id: str, seq: str, data: str) -> Event | None:
    """Read one server-sent event; None for one without a state."""
    try:
        raw = json.loads(data)
        state = State(raw["state"])
        return Event(
            job_id=job_id,
            seq=int(seq or raw["seq"]),
            at=float(raw["at"]),
            state=state,
            stage=str(raw["stage"]),
            progress=_fraction(raw.get("progress")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _fraction(percent: float | None) -> float | None:
    return None if percent is None else round(percent / 100, 4)
