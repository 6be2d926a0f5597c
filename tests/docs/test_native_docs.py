"""API reference: every operation, field and error status is documented."""

import json
import re
from pathlib import Path

import pytest

import framegate.jobs
from framegate.api.dialects import native
from framegate.api.dialects.native.requests import VideoRequest
from framegate.api.dialects.native.responses import VideoJob
from support.pages import blocks, page

DOCS, ERRORS = page("reference/api.md"), page("reference/errors.md")
STATUSES = {400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 421, 429, 503, 507}
DESCRIBED = native.build(needs_key=lambda: True).openapi()


def test_every_operation_is_documented():
    for path, operations in DESCRIBED["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in DOCS


@pytest.mark.parametrize("field", [*VideoRequest.model_fields, *VideoJob.model_fields])
def test_every_field_is_documented(field: str):
    assert f"`{field}`" in DOCS


def test_every_status_of_an_error_is_documented():
    statuses = re.findall(r"^\| ([\d, ]+) \|", ERRORS, re.MULTILINE)

    assert {int(status) for row in statuses for status in row.split(",")} == STATUSES


def test_every_code_of_a_failed_job_is_documented():
    sources = [path.read_text(encoding="utf-8") for path in Path(framegate.jobs.__path__[0]).rglob("*.py")]
    codes = {code for source in sources for code in re.findall(r"Fault\(\s*code=\"(\w+)\"", source)}

    assert len(codes) > 5
    assert [code for code in sorted(codes) if f"`{code}`" not in ERRORS] == []


def test_the_json_examples_are_valid():
    for block in blocks(DOCS, "json"):
        assert json.loads(block)
