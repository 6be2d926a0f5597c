"""What is said of a finished file: findings, each with its number, its rule and one plain sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self


class Verdict(StrEnum):
    """How a check ended. `unverifiable` says that the method cannot tell, which is no fault of the file."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"
    UNVERIFIABLE = "unverifiable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check: what was measured, and what was expected of it."""

    name: str
    group: str
    verdict: Verdict
    value: Any  # a JSON value; None where nothing could be measured
    expected: str  # the threshold in words; empty where nothing is expected
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Every finding about one file. `playable` is false where a player would show nothing, or stop before the end."""

    playable: bool
    findings: tuple[Finding, ...]
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings; what could not be verified does not make it worse."""
        verdicts = {finding.verdict for finding in self.findings}
        return next((verdict for verdict in (Verdict.FAIL, Verdict.WARN) if verdict in verdicts), Verdict.PASS)

    def having(self, findings: Sequence[Finding]) -> Self:
        """The same report with more findings."""
        return type(self)(playable=self.playable, findings=(*self.findings, *findings), facts=self.facts)

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "verdict": str(self.verdict),
            "playable": self.playable,
            "findings": [asdict(finding) | {"verdict": str(finding.verdict)} for finding in self.findings],
            "facts": dict(self.facts),
        }
