"""docs/fal.md says all that there is."""

import re

import pytest

from framegate.api.dialects.fal import headers
from framegate.api.dialects.fal.endpoints import endpoints
from support.paths import DOCS

DOCS = (DOCS / "fal.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([^`]+/[^`]+)` \| (.*) \|$", DOCS, re.MULTILINE))


def test_the_table_has_every_endpoint_and_no_other():
    assert list(ROWS) == list(endpoints())


@pytest.mark.parametrize("endpoint_id", list(endpoints()))
def test_every_row_names_the_fields_that_hold_references(endpoint_id: str):
    held = [field for field in endpoints()[endpoint_id].fields if field.type in ("url", "urls", "elements")]
    for field in held:
        assert f"`{field.name}`{'*' if field.required else ''}" in ROWS[endpoint_id]


@pytest.mark.parametrize(
    "name",
    [headers.START_TIMEOUT, headers.OLD_START_TIMEOUT, headers.PRIORITY, headers.NO_RETRY, headers.LIFECYCLE[0]],
)
def test_every_header_is_told(name: str):
    assert f"`{name}" in DOCS.lower()
