from itertools import pairwise
from typing import Any

import pytest

from framegate.animatic import Easing, Join, Move, Role, TooManyPictures, direct, plan_shots
from framegate.animatic.camera.path import Size, plan_paths


def shots(prompt: str | None, references: int = 1, **more: Any):  # whatever `plan` takes
    return plan_shots(prompt, reference_count=references, seconds=more.pop("seconds", 4), **more)


def test_modifiers_change_how_far_the_camera_goes():
    amounts = [shots(f"{word} pan left")[0].amount for word in ("very slow", "slow", "", "fast", "dramatic")]

    assert amounts == sorted(amounts)
    assert amounts[2] == 1.0
    assert len(set(amounts)) == 5


def test_modifiers_of_the_scene_are_not_those_of_the_camera():
    (shot,) = shots("a fast red car in a dramatic canyon, camera pans left")

    assert shot.amount == 1.0


def test_a_steady_pace_is_read_as_an_easing():
    assert shots("a steady pan left")[0].easing is Easing.STEADY


def test_each_named_picture_gets_the_move_of_its_own_clause():
    found = shots("Pan left over @kitchen, then tilt up on the first image", 2, names=("front door", "kitchen"))

    assert [(shot.index, shot.moves) for shot in found] == [(1, (Move.PAN_LEFT,)), (0, (Move.TILT_UP,))]
    assert found[0].words == "pan left on reference 2 (@kitchen)"


def test_moves_in_sequence_go_to_the_pictures_in_order_and_the_last_goes_on():
    found = shots("push in, then pan left", 3)

    assert [shot.moves[0] for shot in found] == [Move.PUSH_IN, Move.PAN_LEFT, Move.PAN_LEFT]


def test_two_moves_over_one_picture_are_two_shots_without_a_join():
    found = shots("push in, then pan left")

    assert [(shot.moves[0], shot.join) for shot in found] == [
        (Move.PUSH_IN, Join.OPENS),
        (Move.PAN_LEFT, Join.GOES_ON),
    ]
    assert found[0].end == found[1].start == 2


def test_frames_stand_around_the_references():
    found = shots("", 1, has_first=True, has_last=True)

    assert [shot.role for shot in found] == [Role.FIRST_FRAME, Role.REFERENCE, Role.LAST_FRAME]


def test_a_move_that_a_first_frame_cannot_make_is_said_and_not_made():
    (shot,) = shots("zoom out", 0, has_first=True)

    assert shot.moves == (Move.LOCKED_OFF,)
    assert shot.note == "no pull-out: the first frame is shown whole and exactly at the start"


def test_a_move_that_the_engine_does_not_know_is_said():
    found = direct("dolly zoom on the vase", reference_count=1, seconds=4)

    assert found.notes == ("not made by this engine: a dolly zoom",)


@pytest.mark.parametrize(("references", "seconds"), [(1, 1), (2, 4), (3, 4), (5, 10), (9, 60)])
def test_shots_cover_the_clip_and_overlap_only_where_they_dissolve(references: int, seconds: int):
    found = shots("slow push-in", references, seconds=seconds)

    assert found[0].start == 0
    assert found[-1].end == seconds
    for before, after in pairwise(found):
        assert after.join is Join.DISSOLVES
        assert before.start < after.start < before.end < after.end


def test_hard_cuts_leave_no_overlap():
    before, after = shots("hard cuts", 2)

    assert after.join is Join.CUTS
    assert before.end == after.start


def test_pictures_that_would_flash_by_are_refused_with_the_length_that_would_do():
    with pytest.raises(TooManyPictures, match=r"9 shots do not fit into 1 s.*for at least 2.25 s"):
        shots("", 9, seconds=1)


def test_no_picture_at_all_is_a_title_card():
    (shot,) = shots("a lighthouse at dusk", 0)

    assert shot.role is Role.TITLE


def test_the_same_request_gives_the_same_plan():
    assert shots("slow tilt up, then pan left", 3) == shots("slow tilt up, then pan left", 3)


def test_another_framing_of_one_picture_is_cut_to_and_composed_anew():
    found = shots("wide shot, then cut to a close-up")
    wide, close = plan_paths(found, Size(1600, 900), Size(1280, 720))

    assert [shot.join for shot in found] == [Join.OPENS, Join.CUTS]
    assert close.start.width < 0.7 * wide.end.width
