"""Rewriting of the names in a prompt into the words that a model expects."""

import pytest

from framegate.catalogue import builtin
from framegate.catalogue.prompts.rewrite import rewrite_prompt
from framegate.domain import Kind, Reference, Request, Role

HERO = Reference(url="https://h/a.png", name="hero")
DOG = Reference(url="https://h/b.png", name="dog")
OPENS = Reference(url="https://h/c.png", name="opens", role=Role.FIRST_FRAME)
FIRST = Reference(url="https://h/1.png", name="Image1")
SECOND = Reference(url="https://h/2.png", name="Image2")
SIDE = Reference(url="https://h/s.png", name="hero-side", same_subject_as="hero")
CLIP = Reference(url="https://h/d.mp4", name="clip", kind=Kind.VIDEO)


@pytest.mark.parametrize(
    ("prompt", "references", "tokens", "expected"),
    [
        ("@hero walks @dog", (HERO, DOG), {Kind.IMAGE: "@Image{n}"}, "@Image1 walks @Image2"),
        ("@dog first", (HERO, DOG), {Kind.IMAGE: "character{n}"}, "character2 first"),
        ("@hero", (HERO,), {Kind.IMAGE: "<IMAGE_REF_{n0}>"}, "<IMAGE_REF_0>"),
        ("@hero", (HERO,), {Kind.IMAGE: "@{name}"}, "@hero"),
        ("@dog sits", (OPENS, HERO, DOG), {Kind.IMAGE: "@Image{n}"}, "@Image2 sits"),
        ("from @opens on", (OPENS, HERO), {Kind.IMAGE: "@Image{n}"}, "from the first frame on"),
        ("@dog as in @clip", (HERO, DOG, CLIP), {}, "the second image as in the first video"),
        ("write to a@hero.example, @heroes", (HERO,), {Kind.IMAGE: "@Image{n}"}, "write to a@hero.example, @heroes"),
        (r"\1 @hero \g<0>", (HERO,), {Kind.IMAGE: "@Image{n}"}, r"\1 @Image1 \g<0>"),
        (r"\@hero says \@nike, @hero runs", (HERO,), {Kind.IMAGE: "@Image{n}"}, "@hero says @nike, @Image1 runs"),
        ("nobody", (HERO,), {Kind.IMAGE: "@Image{n}"}, "nobody"),
        (None, (HERO,), {Kind.IMAGE: "@Image{n}"}, None),
        ("a @hero-like dog, @hero- runs", (HERO,), {Kind.IMAGE: "@Image{n}"}, "a @Image1-like dog, @Image1- runs"),
        ("@hero-dog", (HERO, DOG), {Kind.IMAGE: "@Image{n}"}, "@Image1-dog"),
        ("@Image2 before @Image1", (SECOND, FIRST), {Kind.IMAGE: "@Image{n}"}, "@Image1 before @Image2"),
    ],
)
def test_a_name_is_replaced_by_the_models_own_token(prompt, references, tokens, expected):
    assert rewrite_prompt(Request(model="m", prompt=prompt, references=references), tokens) == expected


def test_every_view_of_a_subject_is_numbered():
    request = Request(model="m", prompt="@hero, @hero-side, @dog", references=(HERO, SIDE, DOG))
    assert rewrite_prompt(request, {Kind.IMAGE: "@Image{n}"}) == "@Image1, @Image2, @Image3"


def test_a_token_for_videos_and_images_numbers_the_videos_first_if_the_model_does():
    model = builtin().get("alibaba/wan-2.6-flash")
    assert model is not None
    request = Request(model=model.id, prompt="@hero, @dog and @clip", references=(HERO, DOG, CLIP))
    assert rewrite_prompt(request, model.limits.prompt_tokens) == "Character2, Character3 and Character1"
