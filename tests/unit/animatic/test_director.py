from itertools import pairwise
from typing import Any

import pytest

from framegate.animatic import Easing, Join, Move, Role, TooManyPictures, direct, plan_shots
from framegate.animatic.camera.path import Size, plan_paths


def shots(prompt: str | None, references: int = 1, **options: Any):  # any argument of `plan_shots`
    return plan_shots(prompt, reference_count=references, seconds=options.pop("seconds", 4), **options)


def test_modifiers_set_the_amount_of_a_move():
    amounts = [shots(f"{word} pan left")[0].amount for word in ("very slow", "slow", "", "fast", "dramatic")]

    assert amounts == sorted(amounts)
    assert amounts[2] == 1.0
    assert len(set(amounts)) == 5


def test_modifiers_of_the_scene_do_not_change_the_move():
    (shot,) = shots("a fast red car in a dramatic canyon, camera pans left")

    assert shot.amount == 1.0


def test_steady_sets_the_easing():
    assert shots("a steady pan left")[0].easing is Easing.STEADY


def test_each_named_picture_gets_the_move_of_its_own_clause():
    result = shots("Pan left over @kitchen, then tilt up on the first image", 2, names=("front door", "kitchen"))

    assert [(shot.index, shot.moves) for shot in result] == [(1, (Move.PAN_LEFT,)), (0, (Move.TILT_UP,))]
    assert result[0].words == "pan left on reference 2 (@kitchen)"


def test_sequential_moves_use_the_pictures_in_order_and_the_last_move_repeats():
    result = shots("push in, then pan left", 3)

    assert [shot.moves[0] for shot in result] == [Move.PUSH_IN, Move.PAN_LEFT, Move.PAN_LEFT]


def test_two_moves_over_one_picture_are_two_continuous_shots():
    result = shots("push in, then pan left")

    assert [(shot.moves[0], shot.join) for shot in result] == [
        (Move.PUSH_IN, Join.OPENS),
        (Move.PAN_LEFT, Join.CONTINUES),
    ]
    assert result[0].end == result[1].start == 2


def test_first_and_last_frame_surround_the_references():
    result = shots("", 1, has_first=True, has_last=True)

    assert [shot.role for shot in result] == [Role.FIRST_FRAME, Role.REFERENCE, Role.LAST_FRAME]


def test_an_impossible_move_from_a_first_frame_is_dropped_with_a_note():
    (shot,) = shots("zoom out", 0, has_first=True)

    assert shot.moves == (Move.LOCKED_OFF,)
    assert shot.note == "no pull-out: the shot must start exactly on the first frame"


def test_an_unsupported_move_is_reported_in_a_note():
    result = direct("dolly zoom on the vase", reference_count=1, seconds=4)

    assert result.notes == ("not supported by the animatic renderer: a dolly zoom",)


@pytest.mark.parametrize(("references", "seconds"), [(1, 1), (2, 4), (3, 4), (5, 10), (9, 60)])
def test_shots_cover_the_video_and_overlap_only_for_dissolves(references: int, seconds: int):
    result = shots("slow push-in", references, seconds=seconds)

    assert result[0].start == 0
    assert result[-1].end == seconds
    for before, after in pairwise(result):
        assert after.join is Join.DISSOLVES
        assert before.start < after.start < before.end < after.end


def test_hard_cuts_leave_no_overlap():
    before, after = shots("hard cuts", 2)

    assert after.join is Join.CUTS
    assert before.end == after.start


def test_too_many_pictures_are_rejected_with_the_required_duration():
    with pytest.raises(TooManyPictures, match=r"9 shots do not fit into 1 s.*a duration of at least 2.25 s"):
        shots("", 9, seconds=1)


def test_a_request_without_pictures_gets_a_title_card():
    (shot,) = shots("a lighthouse at dusk", 0)

    assert shot.role is Role.TITLE


def test_the_same_request_gives_the_same_plan():
    assert shots("slow tilt up, then pan left", 3) == shots("slow tilt up, then pan left", 3)


def test_a_new_framing_of_the_same_picture_is_a_cut_with_its_own_composition():
    result = shots("wide shot, then cut to a close-up")
    wide, close = plan_paths(result, Size(1600, 900), Size(1280, 720))

    assert [shot.join for shot in result] == [Join.OPENS, Join.CUTS]
    assert close.start.width < 0.7 * wide.end.width
