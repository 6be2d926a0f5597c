"""Files leave whole, or as the range that was asked for, or not at all."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI, Request, Response
from starlette.testclient import TestClient

from framegate.api.dialects.native import show
from framegate.api.http import errors
from framegate.api.http.file_response import CHUNK_BYTES, send_file
from framegate.domain import Blob

DATA = random.Random(7).randbytes(CHUNK_BYTES * 2 + 1000)
SHA256 = hashlib.sha256(DATA).hexdigest()
ETAG = f'"{SHA256}"'


@contextmanager
def serving(path: Path, *, size: int = len(DATA)) -> Iterator[TestClient]:
    app = FastAPI()
    errors.install(app, show)

    @app.api_route("/file", methods=["GET", "HEAD"])
    async def file(request: Request) -> Response:
        blob = Blob(sha256=SHA256, size_bytes=size, media_type="video/mp4")
        return await send_file(request, path, blob, name="a.mp4")

    with TestClient(app) as client:
        yield client


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    with serving(path) as client:
        yield client


def test_the_whole_file_comes_with_all_that_a_player_and_a_cache_need(client: TestClient):
    answer = client.get("/file")

    assert answer.status_code == 200
    assert answer.content == DATA
    expected = {
        "content-type": "video/mp4",
        "content-length": str(len(DATA)),
        "etag": ETAG,
        "accept-ranges": "bytes",
        "cache-control": "private",
        "content-disposition": 'inline; filename="a.mp4"',
        "x-content-type-options": "nosniff",
    }
    assert {name: answer.headers[name] for name in expected} == expected


def test_head_tells_the_same_without_the_file(client: TestClient):
    head, get = client.head("/file"), client.get("/file")

    assert head.status_code == 200
    assert head.content == b""
    assert dict(head.headers) == dict(get.headers)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        (f"bytes={CHUNK_BYTES - 1}-{CHUNK_BYTES}", CHUNK_BYTES - 1, CHUNK_BYTES + 1),
        ("bytes=100-", 100, len(DATA)),
        ("bytes=-7", len(DATA) - 7, len(DATA)),
        (f"bytes=5-{10**17}", 5, len(DATA)),
        (f"bytes=-{10**17}", 0, len(DATA)),
    ],
)
def test_one_range_is_sent_as_asked(client: TestClient, asked: str, start: int, stop: int):
    answer = client.get("/file", headers={"range": asked})

    assert answer.status_code == 206
    assert answer.content == DATA[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(stop - start)


@pytest.mark.parametrize("asked", [f"bytes={len(DATA)}-", "bytes=-0", f"bytes={10**17}-{10**17}"])
def test_a_range_out_of_reach_is_416(client: TestClient, asked: str):
    answer = client.get("/file", headers={"range": asked})

    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,5-6", "bytes=-", "bytes=5-4", "chars=0-1", "bytes", "bytes=a-b", "bytes=٣-٤", f"bytes={'9' * 5000}-"],
)
def test_a_range_that_is_not_understood_gives_the_whole_file(client: TestClient, asked: str):
    answer = client.get("/file", headers=[(b"range", asked.encode())])

    assert answer.status_code == 200
    assert answer.content == DATA


def test_a_range_of_an_older_file_gives_the_whole_new_one(client: TestClient):
    same = client.get("/file", headers={"range": "bytes=0-3", "if-range": ETAG})
    other = client.get("/file", headers={"range": "bytes=0-3", "if-range": '"older"'})

    assert (same.status_code, same.content) == (206, DATA[:4])
    assert (other.status_code, other.content) == (200, DATA)


@pytest.mark.parametrize("known", [ETAG, f"W/{ETAG}", f'"other", {ETAG}', "*"])
def test_a_file_that_is_known_already_is_not_sent_again(client: TestClient, known: str):
    answer = client.get("/file", headers={"if-none-match": known})

    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["etag"] == ETAG


def test_a_file_that_is_not_whole_or_gone_is_410(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(DATA[:-1])
    with serving(path) as client:
        half = client.get("/file")
        path.unlink()
        none = client.get("/file")

    assert (half.status_code, none.status_code) == (410, 410)
    assert "truncated" in half.json()["error"]["message"]


def test_a_file_that_shrinks_while_it_is_sent_breaks_off_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    path.write_bytes(DATA[:1000])
    monkeypatch.setattr("framegate.api.http.file_response._open_complete", lambda path, _: path.open("rb"))
    with serving(path) as client, pytest.raises((EOFError, httpx2.HTTPError, ExceptionGroup)):
        client.get("/file")
