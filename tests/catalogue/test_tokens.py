"""Names in a prompt, in the words that a model reads."""

import pytest

from framegate.catalogue.tokens import rewritten
from framegate.types import Kind, Reference, Request, Role

HERO = Reference(url="https://h/a.png", name="hero")
DOG = Reference(url="https://h/b.png", name="dog")
OPENS = Reference(url="https://h/c.png", name="opens", role=Role.FIRST_FRAME)
CLIP = Reference(url="https://h/d.mp4", name="clip", kind=Kind.VIDEO)


@pytest.mark.parametrize(
    ("prompt", "references", "tokens", "said"),
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
        ("nobody", (HERO,), {Kind.IMAGE: "@Image{n}"}, "nobody"),
        (None, (HERO,), {Kind.IMAGE: "@Image{n}"}, None),
    ],
)
def test_a_name_becomes_the_models_own_words(prompt, references, tokens, said):
    assert rewritten(Request(model="m", prompt=prompt, references=references), tokens) == said
