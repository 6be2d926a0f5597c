"""Quality report: findings about a file, each with its value, its rule, a verdict and a sentence; and its images."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from framegate.domain import Role

FILE_FINDINGS = ("decodes", "complete", "first_key_frame", "timestamps", "one_size", "plausible_length", "report")


class Verdict(StrEnum):
    """Result of a check. `unverifiable` means that the method cannot tell; it is not a fault of the file."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"
    UNVERIFIABLE = "unverifiable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of one check: the measured value, the expected value, and the verdict."""

    name: str
    group: str
    verdict: Verdict
    value: Any  # a JSON value; None if nothing could be measured
    expected: str  # the threshold in words; empty if nothing is expected
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All findings about one file. `playable` is false if a player would show nothing or stop before the end."""

    playable: bool
    findings: tuple[Finding, ...]
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the findings; `unverifiable` does not count."""
        verdicts = {finding.verdict for finding in self.findings}
        return next((verdict for verdict in (Verdict.FAIL, Verdict.WARN) if verdict in verdicts), Verdict.PASS)

    @property
    def file_verdict(self) -> Verdict:
        """Verdict on the file alone: whether it is whole and plays, whatever was ordered and however it looks."""
        verdicts = {finding.verdict for finding in self.findings if finding.name in FILE_FINDINGS}
        return next((verdict for verdict in (Verdict.FAIL, Verdict.WARN) if verdict in verdicts), Verdict.PASS)

    @property
    def headline(self) -> str:
        """The most important sentence about the file."""
        failures = [finding for finding in self.findings if finding.verdict is Verdict.FAIL]
        of_file = [finding.sentence for finding in failures if finding.name in FILE_FINDINGS]
        if of_file:
            return f"The file is faulty. {of_file[0]}"
        if failures:
            return f"The file is intact, but not as requested. {failures[0].sentence}"
        return "The file is intact."

    def with_findings(self, findings: Sequence[Finding]) -> Self:
        """Return a copy of the report with additional findings."""
        return type(self)(playable=self.playable, findings=(*self.findings, *findings), facts=self.facts)

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "verdict": str(self.verdict),
            "file_verdict": str(self.file_verdict),
            "headline": self.headline,
            "playable": self.playable,
            "findings": [asdict(finding) | {"verdict": str(finding.verdict)} for finding in self.findings],
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceImage:
    """An image that the clip should show; `index` is its place in the request."""

    path: Path
    role: Role = Role.REFERENCE
    index: int = 0
    name: str | None = None
    number: int = 0  # among those with the role `reference`, from 1; used in sentences

    @property
    def label(self) -> str:
        """Name of the image within a sentence."""
        if self.role is not Role.REFERENCE:
            return f"the given {self.role.replace('_', ' ')}"
        return f"reference {self.number}" + (f" (@{self.name})" if self.name else "")

    def as_json(self) -> dict[str, Any]:
        """Return the index and name as JSON values."""
        return {"reference": self.index} | ({"name": self.name} if self.name else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The frame that is most similar to a reference, as a JPEG with the reference to its left."""

    reference: int
    role: Role
    frame: int
    seconds: float
    jpeg: bytes

    def as_json(self) -> dict[str, Any]:
        """Return everything but the JPEG as JSON values."""
        return {"reference": self.reference, "role": str(self.role), "frame": self.frame, "seconds": self.seconds}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Quality report of a file, with its measures and images; 0 and None if there was nothing to measure."""

    report: Report
    width: int = 0
    height: int = 0
    fps: float = 0.0
    frames: int = 0
    duration: float = 0.0  # seconds
    has_audio: bool = False
    poster_jpeg: bytes | None = None
    contact_sheet_jpeg: bytes | None = None
    matches: tuple[Match, ...] = ()  # for each reference, the most similar frame


def unverified(reason: str) -> Verification:
    """Return the verification of a file that could not be verified, and why, as a sentence."""
    finding = Finding(
        name="report",
        group="conformance",
        verdict=Verdict.WARN,
        value=None,
        expected="",
        sentence=f"The quality report failed: {reason} The file is stored unchanged.",
    )
    return Verification(report=Report(playable=True, findings=(finding,)))
