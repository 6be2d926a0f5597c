"""Limits of JSON bodies: what costs too much is rejected while it arrives, and nothing else is."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from framegate.api.http import json_scan
from framegate.api.http.body import parse_json, read_json
from framegate.api.http.json_scan import JsonScan
from framegate.domain.errors import InvalidRequest, TooLarge

CHUNK_BYTES = 64 * 1024
CHUNKS_READ_MAX = 20  # 1.25 MiB
LARGE = 31 * 2**20
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_characters="\0")), inner),
    max_leaves=20,
)


def chunked(start: bytes, repeated: bytes, size: int = LARGE) -> Iterator[bytes]:
    """Yield a body that never holds more than a chunk."""
    yield start
    piece = repeated * (CHUNK_BYTES // len(repeated))
    for _ in range(size // len(piece)):
        yield piece


def read(pieces: Iterator[bytes], **limits: Any) -> tuple[object, int]:
    """Return what is read of a body, or the error; and the number of chunks until then."""
    received = 0

    async def receive() -> dict[str, Any]:
        nonlocal received
        received += 1
        piece = next(pieces, b"")
        return {"type": "http.request", "body": piece, "more_body": piece != b""}

    request = Request({"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]}, receive)
    try:
        return asyncio.run(read_json(request, bytes_max=32 * 2**20, **limits)), received
    except (InvalidRequest, TooLarge) as error:
        return error, received


@pytest.mark.parametrize(
    ("start", "repeated"),
    [
        (b'{"prompt": [', b"1,"),
        (b'{"prompt": [', b"[],"),
        (b'{"prompt": [', b'"",'),
        (b"[", b"[[1],"),
        (b"{", b'"key":1,'),
        (b'{"a": {', b'"key":{},'),
        (b'{"', b"k"),
        (b'{"data:image/png;base64,', b"A"),
        (b'{"a": 1, "', b"\\u0041"),
        (b'{"prompt": "', b"x "),
        (b'{"prompt": "', b'\\"'),
        (b'{"prompt": "', b"\\"),
        (b'{"image": "data:', b"\\u0041"),
        (b'{"image": "data:', b'\\"'),
        (b'["data:" ', b',"data:"'),
        (b"", b" "),
        (b"1", b"1"),
        (b"", b"]"),
        (b"", b'"'),
        (b'"\\', b'\\"'),
    ],
)
def test_a_large_body_that_is_no_upload_is_rejected_within_the_first_chunks(start: bytes, repeated: bytes):
    scan, body, received = JsonScan(), bytearray(), 0
    problem = ""
    for piece in chunked(start, repeated):
        received += 1
        body += piece
        try:
            scan.extend(body)
        except (InvalidRequest, TooLarge) as error:
            problem = error.message
            break

    assert 0 < len(problem) < 400
    assert received <= CHUNKS_READ_MAX


def test_the_rest_of_a_rejected_body_is_received_so_that_its_client_reads_the_answer():
    error, received = read(chunked(b'{"prompt": [', b"1,", size=2**20))

    assert isinstance(error, InvalidRequest)
    assert received > 2**20 // CHUNK_BYTES


@pytest.mark.parametrize(
    ("start", "repeated", "end", "limits"),
    [
        (b'{"image": "data:image/png;base64,', b"AAAA", b'"}', {}),
        (b'{"image": "DATA:image/png;base64,', b"AAAA", b'", "b": 1}', {}),
        (b'{"images": ["data:image\\/png;base64,', b"AAA\\/", b'"]}', {}),
        (b'{"images": ["https://a.example", "data:,', b"AAAA", b'"]}', {}),
        (b'{"data" : "', b"AAAA", b'"}', {"base64_fields": (b"data",)}),
    ],
)
def test_a_data_url_may_be_as_large_as_the_whole_body(start: bytes, repeated: bytes, end: bytes, limits: Any):
    def pieces() -> Iterator[bytes]:
        yield from chunked(start, repeated, 2 * 2**20)
        yield end

    body, _ = read(pieces(), **limits)

    assert isinstance(body, dict)
    assert len(str(body)) > 2**20


def test_base64_without_a_data_url_is_only_taken_in_the_fields_that_a_dialect_names():
    error, _ = read(chunked(b'{"prompt": "', b"AAAA"), base64_fields=(b"data",))

    assert isinstance(error, InvalidRequest)


@given(JSON, st.booleans())
def test_every_json_value_within_the_limits_is_read_unchanged(value: object, ascii_only: bool):
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(JSON, st.integers(1, 7))
def test_the_scan_finds_the_brackets_and_texts_that_a_parser_finds(value: object, step: int):
    """The scan of every byte, in chunks, ends outside of texts and with every bracket closed."""
    text = json.dumps(value).encode()
    scan, body = JsonScan(), bytearray()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_scan, "SMALL_BYTES_MAX", 0)
        for start in range(0, len(text), step):
            body += text[start : start + step]
            scan.extend(body)

    assert (scan._text, bytes(scan._open)) == (-1, b"")
    assert scan._values >= text.count(b'"') // 4


def test_an_error_lists_at_most_32_problems_and_says_how_many_there_are():
    from framegate.api.dialects.native.requests import VideoRequest
    from framegate.api.http.validation import validated

    with pytest.raises(InvalidRequest) as caught:
        validated(VideoRequest, {f"{'k' * 200}{index}": 1 for index in range(1000)})

    problems = caught.value.problems
    assert len(problems) == 33
    assert problems[-1].code == "more_problems"
    assert problems[-1].message.startswith("969 more")  # with the missing model
    assert max(len(problem.message) for problem in problems) < 200
    assert len(problems[1].pointer) == 101
