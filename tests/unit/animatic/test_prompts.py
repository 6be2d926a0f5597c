"""Realistic prompts with their expected shot lists, and properties of any prompt."""

import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.animatic import Easing, Join, Move, Plan, Role, Shot, TooManyPictures, direct
from framegate.animatic.plan.director import SHOT_SECONDS_MIN
from framegate.animatic.prompt.scene import Angle, Framing

TABLE = (Path(__file__).parent / "data" / "directions.txt").read_text("utf-8")
JOINS = {Join.OPENS: "", Join.DISSOLVES: "~", Join.CUTS: "/", Join.CONTINUES: "+"}
PICTURES = {Role.FIRST_FRAME: "first", Role.LAST_FRAME: "last", Role.SOURCE: "source", Role.TITLE: "title"}
EDGES = {Role.SOURCE: -2, Role.FIRST_FRAME: -1, Role.LAST_FRAME: 1}
NAMES = {"k": ("front door", "kitchen"), "h": ("hero", "street", "car")}


def cases() -> list[tuple[str, str]]:
    """Each prompt's line with the expected lines below it."""
    table: list[tuple[str, list[str]]] = []
    for line in TABLE.splitlines():
        if line.startswith("    "):
            table[-1][1].append(line.strip())
        elif line and not line.startswith("#"):
            table.append((line, []))
    return [(head, "\n".join(below)) for head, below in table]


def read(head: str) -> Plan:
    header, _, prompt = head.partition(":")
    references, seconds, *flags = header.split()
    flag = flags[0] if flags else ""
    return direct(
        prompt.strip(),
        reference_count=int(references),
        seconds=float(seconds),
        names=NAMES.get(flag, ()),
        has_first="f" in flag,
        has_last="l" in flag,
        has_source=flag == "s",
    )


def format_plan(plan: Plan) -> str:
    shots = " | ".join(format_shot(shot, is_only=len(plan.shots) == 1) for shot in plan.shots)
    return "\n".join([shots, *(f"! {note}" for note in plan.notes)])


def format_shot(shot: Shot, *, is_only: bool) -> str:
    moves = "&".join(shot.moves)
    words = [f"{JOINS[shot.join]}{PICTURES.get(shot.role, shot.index + 1)}", moves if shot.asked else f"({moves})"]
    if shot.asked and shot.moves != (Move.LOCKED_OFF,) and shot.amount != 1:
        words.append(f"x{shot.amount:g}")
    words += [shot.easing] if shot.easing is not Easing.SMOOTH else []
    words += [f"held {shot.handheld:g}"] if shot.handheld else []
    words += [value for value in (shot.framing, shot.angle) if value not in (Framing.AS_IS, Angle.LEVEL)]
    return " ".join(words if is_only else [*words, f"{shot.seconds:.3g}s"])


@pytest.mark.parametrize(("head", "expected"), cases())
def test_a_prompt_gives_the_expected_shot_list(head: str, expected: str):
    assert format_plan(read(head)) == expected


def test_the_table_has_at_least_200_prompts():
    assert len(cases()) >= 200


WORDS = st.sampled_from(
    (
        *("push in", "zoom out", "pan left", "and right", "tilt up", "orbit", "roll left", "hold", "static", "slowly"),
        *("then", "while", ",", ".", "cut to", "for 2 seconds", "after 1 second", "at 3s", "the first half", "0-2s:"),
        *("image 1", "the second photo", "@a", "@b", "the last frame", "each image", "Shot 2:", "start on", "close-up"),
        *("no", "don't", "or", "wide shot", "handheld", "frantic", "dreamy", "she turns", "add a dog", "rain", "1.5s"),
        *("the last second", "halfway", "90 degrees", "very", "extreme", "[2s to 40s]", "\n", '"', "(", ")"),
    )
)
PROMPTS = st.text(max_size=300) | st.lists(WORDS, max_size=25).map(" ".join)
OPTIONS: Any = {
    "reference_count": st.integers(0, 5),
    "has_first": st.booleans(),
    "has_last": st.booleans(),
    "has_source": st.booleans(),
    "seconds": st.sampled_from([1.0, 2.5, 4.0, 17.0, 60.0]),
    "names": st.sampled_from([(), ("a", "b"), (None, "a")]),
    "audio": st.booleans(),
}


def planned(prompt: str, options: dict[str, Any]) -> Plan | None:
    """The plan; None where its shots are more than the clip has time for, which is all that may be raised."""
    with suppress(TooManyPictures):
        return direct(prompt, **options)
    return None


@given(PROMPTS, st.fixed_dictionaries(OPTIONS))
def test_shots_cover_the_video_and_show_every_picture(prompt: str, options: dict[str, Any]):
    pictures = options["reference_count"] + sum(options[f"has_{role}"] for role in ("first", "last", "source"))
    plan = planned(prompt, options)
    if plan is None:
        return
    shots = plan.shots

    assert plan == direct(prompt, **options)
    assert shots[0].start == 0
    assert shots[-1].end == options["seconds"]
    assert all(shot.seconds >= SHOT_SECONDS_MIN - 1e-5 for shot in shots)
    for before, after in pairwise(shots):
        assert before.start < after.start <= before.end < after.end + 1e-5
        assert (after.start < before.end) == (after.join is Join.DISSOLVES)
    assert len({(shot.role, shot.index) for shot in shots}) == max(pictures, 1)
    assert all(shot.moves and 0.1 <= shot.amount <= 3 and 0 <= shot.handheld <= 1 for shot in shots)
    assert all(note == note.strip() and note for note in plan.notes)


@given(PROMPTS, st.fixed_dictionaries(OPTIONS))
def test_exact_frames_are_at_the_ends(prompt: str, options: dict[str, Any]):
    plan = planned(prompt, options | {"seconds": 60})
    roles = [shot.role for shot in plan.shots] if plan else []

    assert roles == sorted(roles, key=lambda role: EDGES.get(role, 0))


@pytest.mark.parametrize(
    "unit",
    [
        *("pan only ", "zoom in ", "camera ", "no ", "a, ", "push in, ", "push in and ", "@a then ", "image 1, 2s "),
        *(
            "a.",
            "0-3s: ",
            "1 ",
            "a\n",
            "start wide ",
            "rotating to ",
            "push in 2s ",
            "the second, ",
            "no pan, ",
            '"a" ',
        ),
        *(
            "she turns ",
            "add a ",
            "wide shot then ",
            "camera move to left around ",
            "hold for 2 seconds. ",
            "(",
            "0:00",
        ),
    ],
)
def test_a_hostile_prompt_is_parsed_in_time_proportional_to_its_length(unit: str):
    def seconds(length: int) -> float:
        before = time.process_time()
        planned("pan " + unit * (length // len(unit)), {"reference_count": 3, "seconds": 60, "audio": True})
        return time.process_time() - before

    seconds(100)
    short, long = (min(seconds(length) for _ in range(3)) for length in (5_000, 20_000))

    assert long < max(9 * short, 0.8)


def test_too_many_shots_are_rejected_with_the_maximum_number():
    with pytest.raises(TooManyPictures, match="5 shots do not fit into 1 s") as error:
        direct("push in, then pan left, then right, then tilt up, then hold", reference_count=1, seconds=1)

    assert error.value.shots_max == 4
