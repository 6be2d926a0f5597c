"""Rows are read strictly: what is misspelt, unsourced or doubly named does not load."""

import pytest

from framegate.catalogue import BadRow, Catalogue, load

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
        ('"durations", "res', '"res', "vendor/model: no source tells durations"),
        ('"durations", "res', '"durations", "seed", "res', "a source tells seed, which the row does not state"),
        ("[[models.offers]]", '[[models.offers]]\nprices = [{ unit = "second", usd = "1" }]', "no source tells prices"),
    ],
)
def test_a_row_that_is_not_as_it_must_be_is_refused(line: str, instead: str, said: str):
    with pytest.raises(BadRow, match=said):
        load(ROW.replace(line, instead))


def test_a_file_holds_models_and_nothing_else():
    with pytest.raises(BadRow, match="holds \\[\\[models\\]\\] and nothing else"):
        load('title = "x"')


def test_two_models_do_not_answer_to_one_name():
    with pytest.raises(BadRow, match="vendor/other and vendor/model both answer to vendor/model"):
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
