"""Quality report: findings about a file, each with its value, its rule, a verdict and a sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self


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

    def with_findings(self, findings: Sequence[Finding]) -> Self:
        """Return a copy of the report with additional findings."""
        return type(self)(playable=self.playable, findings=(*self.findings, *findings), facts=self.facts)

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "verdict": str(self.verdict),
            "playable": self.playable,
            "findings": [asdict(finding) | {"verdict": str(finding.verdict)} for finding in self.findings],
            "facts": dict(self.facts),
        }
