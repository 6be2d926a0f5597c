"""Quality report of a finished video: conformance, motion and fidelity, measured in one decoding pass."""

from framegate.media.quality.report import Finding, Match, ReferenceImage, Report, Verdict, Verification, unverified

__all__ = ["Finding", "Match", "ReferenceImage", "Report", "Verdict", "Verification", "unverified"]
