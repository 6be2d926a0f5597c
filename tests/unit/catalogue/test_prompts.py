"""Mentions of references in a prompt must match a reference; words that only look like mentions are ignored."""

from time import process_time

import pytest

from framegate.catalogue import builtin, check
from framegate.catalogue.prompts.mentions import parse_mentions
from framegate.catalogue.rules.prompts import UNMATCHED_MAX
from framegate.domain import Kind, Problem, Reference, Request, Role


def problems(
    prompt: str, *names: str | None, model: str = "framegate/animatic", videos: int = 0
) -> tuple[Problem, ...]:
    references = [Reference(url="https://pictures.test/a.jpg", name=name) for name in names]
    references += [Reference(url="https://pictures.test/a.mp4", kind=Kind.VIDEO)] * videos
    return check(Request(model=model, prompt=prompt, references=tuple(references)), catalogue=builtin()).problems


MATCHED = [
    "@hero walks. Then @hero's dog, then (@hero).",
    "@hero-like poses",
    "@Image1 meets @image2",
    "@Element2 in the rain",
    "the first image fades into the second image",
    "images 1 and 2 side by side",
    "image #2, then Image 1: a slow pan",
    "reference 2 enters",
    "start with the 2nd reference picture",
    "end on the last image",
    "mail me at someone@hero.example or a@b.com",
    "by @studio.com",
    r"a T-shirt that says \@nike, and @hero",
    r"\@Image9 and \@hero in quotes",
    "see https://video.test/@somebody",
    "the first snow of the year",
    "2 images of cats on the wall",
    "a third person view, the third man",
    "an image 16:9, image 4K, 24 fps",
    "a second image appears in the mirror",
    "the third video clip of the evening news",
    "reference 90s music videos",
    "shot on a Sony A7 with 3 photos",
]


@pytest.mark.parametrize("prompt", MATCHED)
def test_mentions_of_existing_references_have_no_problem(prompt: str):
    assert [problem.message for problem in problems(prompt, "hero", None)] == []


UNMATCHED = [
    ("@villain and @hero", "reference_name_unknown", None),
    ("@Hero walks", "reference_name_unknown", "hero"),
    ("@hera walks", "reference_name_unknown", "hero"),
    ("@Image3 walks", "reference_ordinal_unknown", 2),
    ("@image0 walks", "reference_ordinal_unknown", 1),
    ("from the third image", "reference_ordinal_unknown", 2),
    ("the first and third images", "reference_ordinal_unknown", 2),
    ("image 3 fades in", "reference_ordinal_unknown", 2),
    ("images 1-3 in order", "reference_ordinal_unknown", 2),
    ("the fifth reference picture", "reference_ordinal_unknown", 2),
    ("reference 4 enters", "reference_ordinal_unknown", 2),
    ("the 3rd photo comes alive", "reference_ordinal_unknown", 2),
    ("the uploaded video 1 plays", "reference_ordinal_unknown", None),
]


@pytest.mark.parametrize(("prompt", "code", "nearest"), UNMATCHED)
def test_a_mention_that_matches_no_reference_is_a_problem(prompt: str, code: str, nearest: object):
    reported = problems(prompt, "hero", None)

    assert [(problem.code, problem.pointer, problem.nearest) for problem in reported] == [(code, "/prompt", nearest)]


@pytest.mark.parametrize("name", ["nike", "Image7", "a-b_c"])
def test_the_message_says_how_to_write_a_plain_at_sign_and_what_it_says_works(name: str):
    (problem,) = problems(f"a T-shirt that says @{name}", "hero", None)
    written = problem.message.partition("For a plain @, write ")[2].removesuffix(".")

    assert written == rf"\@{name}"
    assert problems(f"a T-shirt that says {written}", "hero", None) == ()


def test_without_references_every_certain_mention_is_a_problem():
    assert [problem.code for problem in problems("@hero in the first image")] == [
        "reference_name_unknown",
        "reference_ordinal_unknown",
    ]
    assert problems("the second photo on her desk, the third picture") == ()


def test_a_models_own_tokens_are_validated():
    reported = problems("character1 waves at character3", None, None, model="alibaba/happyhorse-1.0")

    assert [problem.message for problem in reported] == [
        'prompt: "character3" does not match a reference: this request has 2 images.'
    ]


def test_a_token_shared_by_two_kinds_numbers_both_in_one_sequence():
    assert problems("Character3 waves", None, model="alibaba/wan-2.6-flash", videos=2) == ()
    (reported,) = problems("Character4 waves", None, model="alibaba/wan-2.6-flash", videos=2)
    assert reported.message.endswith("this request has 3 references.")


def test_videos_are_numbered_apart_from_images():
    assert problems("@Video1 in the mood of @Image1", None, model="bytedance/seedance-2.0", videos=1) == ()
    (reported,) = problems("as in video 2", None, None, model="bytedance/seedance-2.0", videos=1)
    assert reported.message == 'prompt: "video 2" does not match a reference: this request has 1 video.'


def test_frames_are_numbered_as_images_and_masks_are_not():
    references = (
        Reference(url="https://pictures.test/a.jpg", role=Role.FIRST_FRAME),
        Reference(url="https://pictures.test/b.jpg"),
        Reference(url="https://pictures.test/c.mp4", role=Role.MASK, kind=Kind.VIDEO),
    )
    request = Request(model="framegate/animatic", prompt="the second image, then reference 3", references=references)

    reported = check(request, catalogue=builtin()).problems

    assert [problem.code for problem in reported] == ["role_unsupported", "reference_ordinal_unknown"]


def test_an_unknown_name_is_reported_with_the_existing_names():
    (reported,) = problems("@hera walks", "hero", "dog")

    assert reported.message == (
        "prompt: @hera does not match a reference. The names are @hero and @dog. Did you mean @hero? "
        "For a plain @, write \\@hera."
    )
    assert reported.allowed == ["hero", "dog"]


def test_names_must_be_valid_and_unique():
    reported = problems("A street", "hero", "hero", "9lives", "two words")

    assert [(problem.code, problem.pointer) for problem in reported] == [
        ("reference_name_duplicate", "/references/1/name"),
        ("reference_name_invalid", "/references/2/name"),
        ("reference_name_invalid", "/references/3/name"),
    ]


@pytest.mark.parametrize(
    "piece",
    [
        "first, second, third, ",
        "the first and second and ",
        "images 1, 2, ",
        "1, ",
        "image   ",
        "@hero- ",
        "reference ",
    ],
)
def test_parsing_a_long_prompt_is_fast(piece: str):
    prompt = piece * (200_000 // len(piece))
    start = process_time()

    parse_mentions(prompt)

    assert process_time() - start < 2


def test_the_number_of_reported_mentions_is_limited():
    assert len(problems(" ".join(f"@name{n}" for n in range(100)))) == UNMATCHED_MAX


def test_a_duplicate_name_is_suggested_once():
    reported = problems("@dog sleeps", "cat", "cat")
    messages = [problem.message for problem in reported if problem.code == "reference_name_unknown"]
    assert messages == ["prompt: @dog does not match a reference. The name is @cat. For a plain @, write \\@dog."]
