"""Rows are read strictly: what is misspelt, unsourced or doubly named does not load."""

from pathlib import Path

import pytest

from framegate.catalogue import Catalogue, InvalidEntry, builtin, load, with_entries

ROW = """
[[models]]
id = "vendor/model"
name = "Model"
description = "Makes videos."

[models.limits]
durations = "3-5"
resolutions = ["720p"]
aspect_ratios = ["16:9"]

[models.defaults]
duration = 5
resolution = "720p"
aspect_ratio = "16:9"
audio = false

[[models.sources]]
facts = ["durations", "resolutions", "aspect_ratios", "defaults"]
url = "https://vendor.test/docs"
read = "2026-11"

[[models.offers]]
provider = "fal"
id = "vendor/model/text-to-video"
"""


def test_a_row_becomes_a_model():
    (model,) = load(ROW)

    assert model.limits.durations == (3, 4, 5)
    assert model.offers[0].limits.durations == (3, 4, 5)
    assert model.prices == ()
    assert model.limits.seed is None


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ('name = "Model"', 'name = "Model"\ncolour = 1', "vendor/model: unknown key colour"),
        ('durations = "3-5"', 'durations = "3-5"\nlength = 1', "vendor/model: limits: unknown key length"),
        ("audio = false", "audio = false\nfsp = 24", "vendor/model: defaults: unknown key fsp"),
        ("audio = false", "", "defaults: .*missing .* 'audio'"),
        ('"durations", "res', '"res', "vendor/model: no source for durations"),
        ('"durations", "res', '"durations", "seed", "res', "source for seed, which the entry does not have"),
        ("[[models.offers]]", '[[models.offers]]\nprices = [{ unit = "second", usd = "1" }]', "no source for prices"),
    ],
)
def test_a_row_that_is_not_as_it_must_be_is_refused(line: str, instead: str, said: str):
    with pytest.raises(InvalidEntry, match=said):
        load(ROW.replace(line, instead))


def test_a_file_holds_models_and_nothing_else():
    with pytest.raises(InvalidEntry, match=r"must have \[\[models\]\] tables only"):
        load('title = "x"')


def test_two_models_do_not_answer_to_one_name():
    with pytest.raises(InvalidEntry, match="vendor/other and vendor/model both have the name vendor/model"):
        Catalogue(
            [
                *load(ROW),
                *load(ROW.replace('id = "vendor/model"\n', 'id = "vendor/other"\naliases = ["vendor/model"]\n')),
            ]
        )


def test_the_catalogue_is_not_changed_by_its_users():
    (model,) = load(ROW)

    with pytest.raises(AttributeError):
        model.name = "x"  # pyright: ignore[reportAttributeAccessIssue] - the very thing that must fail
    with pytest.raises(TypeError):
        model.limits.sizes["480p 16:9"] = "832x480"  # pyright: ignore[reportIndexIssue] - the very thing that must fail


def test_rows_of_ones_own_are_added_and_take_the_place_of_ours(tmp_path: Path):
    (tmp_path / "a.toml").write_text(ROW.replace('"vendor/model"', '"google/veo-3.1"'), encoding="utf-8")
    (tmp_path / "b.toml").write_text(ROW.replace('"vendor/model"', '"studio/ours"'), encoding="utf-8")
    book = with_entries(builtin(), tmp_path)

    ours, theirs = book.get("studio/ours"), book.get("google/veo-3.1")
    assert ours is not None
    assert theirs is not None
    assert (ours.name, theirs.name) == ("Model", "Model")
    assert len(book.models) == len(builtin().models) + 1


@pytest.mark.parametrize(
    ("text", "said"),
    [("[[models]]\nid = 1", "bad.toml"), ("not toml", "bad.toml"), ("[other]\n", "bad.toml: the file must have")],
)
def test_a_bad_row_of_ones_own_is_named_with_its_file(text: str, said: str, tmp_path: Path):
    (tmp_path / "bad.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidEntry, match=said):
        with_entries(builtin(), tmp_path)
    with pytest.raises(InvalidEntry, match="is not a folder"):
        with_entries(builtin(), tmp_path / "nowhere")
