"""Quality findings: every finding, threshold and excusing word is documented."""

import re
from pathlib import Path

from framegate.media.quality import asked, conformance, fidelity, learned, motion
from support.pages import page

DOCS = page("reference/quality-report.md")
NAME = re.compile(r"(?:_finding|_share|_unknown)\(\s*\"(\w+)\"|Finding\(name=\"(\w+)\"")


def names() -> set[str]:
    """Every name that the code gives to a finding: the literals in it, and those from lists."""
    sources = [
        Path(str(module.__file__)).read_text(encoding="utf-8") for module in (conformance, fidelity, learned, motion)
    ]
    written = {one or other for source in sources for one, other in NAME.findall(source)}
    return written | {"container", "codec", "profile", "pix_fmt", "first_frame", "last_frame", "flicker", "jerk"}


def test_every_finding_is_documented():
    assert len(names()) > 25
    assert [name for name in sorted(names()) if f"`{name}`" not in DOCS] == []


def test_every_documented_finding_exists():
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", DOCS, re.MULTILINE)

    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == names()


def test_the_documented_thresholds_are_those_of_the_code():
    for number in (
        f"at most {motion.FROZEN_MOST:.0%}".replace("%", " %"),
        f"at most {motion.BLACK_MOST:.0%}".replace("%", " %"),
        f"at most {motion.FLICKER_MOST:g} levels",
        f"at most {motion.JERK_MOST:g} pixels",
        f"at most {motion.NOISE_MOST:.0%}".replace("%", " %"),
        f"differs by {motion.STILL_LEVELS:g} levels",
        f"at most {fidelity.PALETTE_MOST:g}, and less",
        f"at least {fidelity.SSIM_LEAST:g}, and {fidelity.SSIM_MARGIN:g} above decoys",
        f"at least {learned.COSINE_LEAST:g}, and {learned.COSINE_MARGIN:g} above other pictures",
    ):
        assert number in DOCS, number


def test_words_that_excuse_a_fault_are_read_as_documented():
    for name in ("still", "cuts", "flicker", "dark", "flat", "shake", "noise"):
        assert not getattr(asked.read("a slow push-in on the cat", pictures=1, known=True), name)
    phrases_by_name = {
        "still": ("locked-off", "still", "static", "freeze"),
        "dark": ("fade to black", "blackout"),
        "flat": ("fade to white", "blank", "fog"),
        "cuts": ("cut", "then", "montage", "shots"),
        "flicker": ("flicker", "strobe", "lightning", "flash"),
        "shake": ("handheld", "shaky", "stop-motion", "glitch"),
        "noise": ("grain", "noise", "rain", "snow"),
    }
    for name, phrases in phrases_by_name.items():
        for phrase in phrases:
            assert getattr(asked.read(f"a clip with {phrase} in it", pictures=1, known=True), name) == phrase
            assert phrase in DOCS
    assert asked.read("then closer, in one take", pictures=1, known=True).cuts == ""
