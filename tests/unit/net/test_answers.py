"""Whatever a provider sends as JSON is read within bounds, or reported as unreadable."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.domain.errors import ProviderError
from framegate.net import answers
from framegate.net.answers import (
    Response,
    Unreadable,
    decompressed,
    find_error,
    find_error_message,
    parse_json,
    salvage,
)
from support.soak import examples

UNREADABLE = {
    "deep lists": b"[" * 200_000 + b"]" * 200_000,
    "deep lists without an end": b"[" * 5_000_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "depth after a text with brackets": b'{"a":"]]]]]]\\"]]]","b":' + b"[" * 100 + b"]" * 100 + b"}",
    "many values": b"[" + b"0," * 300_000 + b"0]",
    "many quotes": b'"\\"' * 500_000,
    "too large": b'"' + b"x" * answers.RESPONSE_BYTES_MAX + b'"',
    "empty": b"",
    "blank": b" \r\n",
    "HTML": b"<!doctype html>",
    "cut": b'{"a": 1',
    "NUL": b"\x00\x00\x00",
}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize("case", UNREADABLE)
def test_an_unreadable_body_is_a_provider_error_of_one_line(case: str):
    response = Response(200, {}, UNREADABLE[case])
    with pytest.raises(ProviderError, match="cannot be read") as error:
        response.json()
    assert len(error.value.message) < 250
    assert error.value.message.isprintable()
    assert response.fields() == {}
    assert len(find_error_message(response)) <= answers.MESSAGE_CHARS_MAX


@given(st.binary(max_size=200))
@examples(200, 20_000)
def test_any_bytes_are_read_or_unreadable(body: bytes):
    try:
        value = parse_json(body)
    except Unreadable:
        return
    json.dumps(value, allow_nan=False)


@given(JSON_VALUES)
@examples(200, 20_000)
def test_any_json_is_read_with_finite_numbers(value: Any):
    read = parse_json(json.dumps(value).encode())
    json.dumps(read, allow_nan=False)
    error = find_error(read)
    assert len(error.message) <= answers.MESSAGE_CHARS_MAX
    assert len(error.code) <= answers.CODE_CHARS_MAX


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"id":"a","note":"caf\xe9"}', {"id": "a", "note": "caf\ufffd"}),
        (b'\xef\xbb\xbf{"id":"a"}', {"id": "a"}),
        (b'{"id":"a\tb\nc"}', {"id": "a\tb\nc"}),
        ('{"id":"a"}'.encode("utf-16"), {"id": "a"}),
        (b'{"n":' + b"7" * 6000 + b"}", {"n": "7" * 6000}),
        (b'{"n":1e400,"m":-1e400}', {"n": "1e400", "m": "-1e400"}),
        (b'{"n":NaN,"m":Infinity}', {"n": "NaN", "m": "Infinity"}),
        (b'{"n":123456789012345678,"m":1234567890123456789}', {"n": 123456789012345678, "m": "1234567890123456789"}),
    ],
)
def test_sloppy_json_is_read(body: bytes, expected: object):
    assert parse_json(body) == expected


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"id":"order-1","status":"pend', "order-1"),
        (b'{"user":{"id":"u"},"id":"order-1"', "order-1"),
        (b'{"log":"the \\"id\\": \\"no\\"","id" : "order-1",', "order-1"),
        (b'{"id":9182736455,"x":', "9182736455"),
        (b'{"id":"a\\u0062c","x":', "abc"),
        (b'{"id":"order-1","deep":' + b"[" * 100_000, "order-1"),
        (b'{"id":"ord', None),
        (b'{"id":91827', None),
        (b'{"id":{"a":1', None),
        (b'"id"', None),
        (b'"\\"' * 400_000, None),
        (b"", None),
    ],
)
def test_a_value_is_salvaged_from_a_broken_body_if_it_is_whole(body: bytes, value: str | None):
    assert salvage(body, "id") == value


@pytest.mark.parametrize("encode", [gzip.compress, zlib.compress, lambda body: zlib.compress(body)[2:-4]])
def test_a_compressed_body_is_bounded(encode: Any):
    assert decompressed(encode(b"{}"), " GZIP ") == b"{}"
    with pytest.raises(Unreadable, match="larger"):
        decompressed(encode(bytes(answers.RESPONSE_BYTES_MAX + 1)), "gzip")


@pytest.mark.parametrize("encoding", ["", "identity", "utf-8", "none", "br", "gzip"])
def test_a_body_without_its_encoding_is_read_as_it_is(encoding: str):
    assert decompressed(b'{"id":1}', encoding) == b'{"id":1}'


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        ({"code": "content_policy", "message": "Blocked by policy."}, "Blocked by policy.", "content_policy"),
        ({"error": {"message": "Blocked."}}, "Blocked.", ""),
        ({"error": {"code": 400, "message": "Bad image", "metadata": {"code": "x"}}}, "Bad image", "400"),
        ([{"msg": "Bad image", "loc": ["body", "image"], "type": "value_error"}], "Bad image", "value_error"),
        ({"detail": "Blocked."}, "Blocked.", ""),
        ({"detail": [{"msg": "Too long."}, {"msg": "Too wide."}]}, "Too long.", ""),
        (
            {"error": "validation_error", "message": "The prompt is too long."},
            "The prompt is too long.",
            "validation_error",
        ),
        ({"errors": [None, {}, {"title": "No such model."}]}, "No such model.", ""),
        ({"failure_reason": "Out of memory."}, "Out of memory.", ""),
        ("Blocked.", "Blocked.", ""),
        ("  two\nlines\x00\u202e ", "two lines", ""),
        ({"code": 7}, "", "7"),
        (None, "", ""),
        (7, "", ""),
        ([], "", ""),
        ({"error": None}, "", ""),
    ],
)
def test_an_error_of_any_shape_is_its_sentence_and_its_code(error: object, message: str, code: str):
    found = find_error(error)
    assert (found.message, found.code) == (message, code)
