"""Catalog entries are parsed strictly: unknown keys, facts without a source and duplicate names are errors."""

from pathlib import Path

import pytest

from framegate.catalogue import Catalogue, InvalidEntry, builtin, load, with_entries

ENTRY = """
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


def test_an_entry_becomes_a_model():
    (model,) = load(ENTRY)

    assert model.limits.durations == (3, 4, 5)
    assert model.offers[0].limits.durations == (3, 4, 5)
    assert model.prices == ()
    assert model.limits.seed is None


@pytest.mark.parametrize(
    ("line", "replacement", "message"),
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
def test_an_invalid_entry_is_rejected_with_the_model_and_the_key(line: str, replacement: str, message: str):
    with pytest.raises(InvalidEntry, match=message):
        load(ENTRY.replace(line, replacement))


def test_a_file_has_only_models():
    with pytest.raises(InvalidEntry, match=r"must have \[\[models\]\] tables only"):
        load('title = "x"')


def test_two_models_cannot_have_the_same_name():
    with pytest.raises(InvalidEntry, match="vendor/other and vendor/model both have the name vendor/model"):
        Catalogue(
            [
                *load(ENTRY),
                *load(ENTRY.replace('id = "vendor/model"\n', 'id = "vendor/other"\naliases = ["vendor/model"]\n')),
            ]
        )


def test_models_are_immutable():
    (model,) = load(ENTRY)

    with pytest.raises(AttributeError):
        model.name = "x"  # pyright: ignore[reportAttributeAccessIssue] - the very thing that must fail
    with pytest.raises(TypeError):
        model.limits.sizes["480p 16:9"] = "832x480"  # pyright: ignore[reportIndexIssue] - the very thing that must fail


def test_entries_of_a_folder_are_added_and_replace_built_in_ones(tmp_path: Path):
    (tmp_path / "a.toml").write_text(ENTRY.replace('"vendor/model"', '"google/veo-3.1"'), encoding="utf-8")
    (tmp_path / "b.toml").write_text(ENTRY.replace('"vendor/model"', '"studio/ours"'), encoding="utf-8")
    catalogue = with_entries(builtin(), tmp_path)

    added, replaced = catalogue.get("studio/ours"), catalogue.get("google/veo-3.1")
    assert added is not None
    assert replaced is not None
    assert (added.name, replaced.name) == ("Model", "Model")
    assert len(catalogue.models) == len(builtin().models) + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("[[models]]\nid = 1", "bad.toml"), ("not toml", "bad.toml"), ("[other]\n", "bad.toml: the file must have")],
)
def test_an_invalid_entry_of_a_folder_is_reported_with_its_file(text: str, message: str, tmp_path: Path):
    (tmp_path / "bad.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidEntry, match=message):
        with_entries(builtin(), tmp_path)
    with pytest.raises(InvalidEntry, match="is not a folder"):
        with_entries(builtin(), tmp_path / "nowhere")
