"""Quality findings: every finding, threshold and excusing word is documented."""

import re
from pathlib import Path

from framegate.media.quality import conformance, fidelity, learned, motion
from framegate.media.quality.allowances import read_prompt
from support.pages import page

DOCS = page("reference/quality-report.md")
NAME = re.compile(r"(?:_finding|_unmeasured)\(\s*\"(\w+)\"|Finding\(name=\"(\w+)\"")


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
        f"at most {motion.FROZEN_SHARE_MAX:.0%}".replace("%", " %"),
        f"at most {motion.BLACK_SHARE_MAX:.0%}".replace("%", " %"),
        f"at most {motion.FLICKER_LEVELS_MAX:g} levels",
        f"at most {motion.JERK_PIXELS_MAX:g} pixels",
        f"at most {motion.NOISE_SHARE_MAX:.0%}".replace("%", " %"),
        f"differs by {motion.STILL_LEVELS_MAX:g} levels",
        f"at most {fidelity.PALETTE_DISTANCE_MAX:g}, and less",
        f"at least {fidelity.SSIM_MIN:g}, and {fidelity.SSIM_MARGIN:g} above decoys",
        f"at least {learned.COSINE_MIN:g}, and {learned.COSINE_MARGIN:g} above other images",
    ):
        assert number in DOCS, number


def test_words_that_excuse_a_fault_are_read_as_documented():
    for name in ("still", "cuts", "flicker", "dark", "flat", "shake", "noise"):
        assert not getattr(read_prompt("a slow push-in on the cat", image_count=1, has_request=True), name)
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
            assert getattr(read_prompt(f"a clip with {phrase} in it", image_count=1, has_request=True), name) == phrase
            assert phrase in DOCS
    assert read_prompt("then closer, in one take", image_count=1, has_request=True).cuts == ""
