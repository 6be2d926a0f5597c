"""fal guide and endpoint table: every endpoint, reference field and header is documented."""

import re

import pytest

from framegate.api.dialects.fal import headers
from framegate.api.dialects.fal.endpoints import endpoints
from support.pages import page

ROWS = dict(re.findall(r"^\| `([^`]+/[^`]+)` \| (.*) \|$", page("reference/fal-endpoints.md"), re.MULTILINE))


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
def test_every_header_is_documented(name: str):
    assert f"`{name}" in page("guides/fal.md").lower()
