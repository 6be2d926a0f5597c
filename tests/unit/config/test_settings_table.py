"""The settings as a table: each has a description, and docs/reference/settings.md shows it."""

import re

import pytest
from pydantic import BaseModel

from framegate.config.accounts import Account, WebhookEndpoint
from framegate.config.settings import Settings
from support.pages import page, rows

ROWS = rows(page("reference/settings.md"))
SETTINGS = {row[0]: row[-1] for row in ROWS if len(row) == 3}
KEYS_OF_TABLES = {row[0]: row[-1] for row in ROWS if len(row) == 2}


def without_links(text: str) -> str:
    """The text of a cell without its links; a sentence that only refers to another page is left out."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r" See \[[^\]]*\]\([^)]*\)\.", "", text))


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_page_describes_a_setting_as_the_model_does(name: str):
    assert without_links(SETTINGS[f"`{name}`"]) == Settings.model_fields[name].description


@pytest.mark.parametrize("model", [Account, WebhookEndpoint])
def test_the_page_describes_the_keys_of_a_table_as_the_model_does(model: type[BaseModel]):
    for name, field in model.model_fields.items():
        [(cell, text)] = [row for row in KEYS_OF_TABLES.items() if f"`{name}`" in row[0].split(", ")]
        if cell == f"`{name}`":
            assert without_links(text) == field.description
        else:  # two keys share a row
            assert field.description


def test_a_key_is_never_printed():
    settings = Settings(api_key="SECRET", accounts=(Account(provider="fal", api_key="SECRET"),))

    assert "SECRET" not in repr(settings)
