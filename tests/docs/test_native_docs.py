"""API reference: every operation, field and error status is documented."""

import json
import re

import pytest

from framegate.api.dialects import native
from framegate.api.dialects.native.requests import VideoRequest
from framegate.api.dialects.native.responses import VideoJob
from support.pages import blocks, page

DOCS = page("reference/api.md")
TOLD = {408, 409, 410, 413, 415, 421, 429, 503}
DESCRIBED = native.build(needs_key=lambda: True).openapi()


def test_every_operation_is_documented():
    for path, operations in DESCRIBED["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in DOCS


@pytest.mark.parametrize("field", [*VideoRequest.model_fields, *VideoJob.model_fields])
def test_every_field_is_documented(field: str):
    assert f"`{field}`" in DOCS


def test_every_status_of_an_error_is_documented():
    statuses = set(re.findall(r"^\| ([\d, ]+) \|", page("reference/errors.md"), re.MULTILINE))

    assert {int(one) for row in statuses for one in row.split(",")} >= {
        400,
        401,
        403,
        404,
        405,
        408,
        409,
        410,
        413,
        415,
    }


def test_the_json_of_the_page_is_json():
    for block in blocks(DOCS, "json"):
        assert json.loads(block)
