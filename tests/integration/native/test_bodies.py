"""Bodies are read within limits, and only what every part behind can keep is let in."""

import asyncio
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.testclient import TestClient

from framegate.api.dialects.native import show
from framegate.api.http import body as bodies
from framegate.api.http import errors, uploads

BYTES_MAX = 10_000
ONE_FILE = b'--a\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n'
TWO_FILES = ONE_FILE + ONE_FILE + b"--a--\r\n"


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    errors.install(app, show)

    @app.post("/json")
    async def json(request: Request) -> JSONResponse:
        return JSONResponse({"read": await bodies.read_json(request, bytes_max=BYTES_MAX)})

    @app.post("/form")
    async def form(request: Request) -> JSONResponse:
        size = sum([len(piece) async for piece in uploads.file_of_form(request, bytes_max=BYTES_MAX)])
        return JSONResponse({"size": size})

    with TestClient(app) as client:
        yield client


def post(client: TestClient, body: bytes, kind: str = "application/json", **headers: str):
    return client.post("/json", content=body, headers={"content-type": kind, **headers})


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json"]
)
def test_json_is_read(client: TestClient, kind: str):
    answer = post(client, '{"a": [1, 2.5, "ü", null, true]}'.encode(), kind)

    assert answer.json() == {"read": {"a": [1, 2.5, "ü", None, True]}}


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"])
def test_a_body_of_another_type_is_refused(client: TestClient, kind: str):
    answer = post(client, b"{}", kind)

    assert answer.status_code == 415
    assert answer.json()["error"]["metadata"]["error_type"] == "unsupported_media_type"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"  ", "empty"),
        (b"{", "Invalid JSON"),
        (b"{} {}", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b'"\xed\xa0\x80"', "Invalid JSON"),
        (b'"\\ud800"', "Invalid JSON"),
        (b'{"a": NaN}', "Invalid JSON"),
        (b'{"a": -Infinity}', "Invalid JSON"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": ' + b"9" * 30 + b"}", "64 bits"),
        (b'{"a": ' + b"9" * 6000 + b"}", "Invalid JSON"),
        (b'{"a": ["x\\u0000"]}', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b"[" * 40 + b"]" * 40, "nested"),
        (b"[" * 33 + b"]" * 33, "nested"),
        (b'[{"a":' * 20 + b"1" + b"}]" * 20, "nested"),
        (b"[" * 4000 + b"]" * 4000, "values"),
        (b"[]" * 40 + b"]", "Invalid JSON"),
        (b'{"' + b"k" * 257 + b'": 1}', "longer than 256 characters"),
    ],
)
def test_what_is_not_sound_json_is_refused_with_the_reason(client: TestClient, body: bytes, says: str):
    answer = post(client, body)

    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"[" * 32 + b"]" * 32, b'{"' + b"k" * 256 + b'": 1}', b"[" + b"1," * 3998 + b"1]"])
def test_a_body_at_a_limit_is_read(client: TestClient, body: bytes):
    assert post(client, body).status_code == 200


def test_a_byte_order_mark_is_ignored(client: TestClient):
    assert post(client, b"\xef\xbb\xbf{}").json() == {"read": {}}


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"duration": 4, "prompt": "x", "duration": 60}', "duration"),
        (b'{"a": [{"b": 1, "b": 1}]}', "b"),
        (b'{"caf\\u00e9": 1, "caf\xc3\xa9": 2}', "café"),
        (b'{"": 1, "": null}', ""),
        (b'{"' + b"k" * 200 + b'": 1, "' + b"k" * 200 + b'": 2}', "k" * 100),
    ],
)
def test_a_key_that_occurs_twice_in_one_object_is_refused_by_its_name(client: TestClient, body: bytes, name: str):
    problem = post(client, body).json()["error"]["metadata"]["problems"][0]

    assert problem["code"] == "duplicate_key"
    assert f"`{name}` occurs twice" in problem["message"]


def test_a_key_may_occur_in_several_objects(client: TestClient):
    assert post(client, b'{"a": [{"b": 1}, {"b": 1}], "b": {"a": {"b": 1}}}').status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "identity, gzip", "GZIP", "x-unknown"])
@pytest.mark.parametrize("path", ["/json", "/form"])
def test_a_compressed_body_is_refused_by_the_name_of_its_coding(client: TestClient, coding: str, path: str):
    kind = "application/json" if path == "/json" else "multipart/form-data; boundary=a"
    headers = {"content-encoding": coding, "content-type": kind}
    answer = client.post(path, content=b"{}", headers=headers)

    assert answer.status_code == 415
    assert coding.rpartition(" ")[2].lower() in answer.json()["error"]["message"]
    assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_a_body_without_a_coding_is_read(client: TestClient, coding: str):
    assert post(client, b"{}", **{"content-encoding": coding}).status_code == 200


def test_the_least_integer_of_64_bits_is_taken(client: TestClient):
    assert post(client, b'{"a": -9223372036854775808}').status_code == 200


def test_the_place_of_what_is_wrong_is_named(client: TestClient):
    answer = post(client, b'{"a/b": [0, "\\u0000"]}')

    assert answer.json()["error"]["metadata"]["problems"][0]["pointer"] == "/a~1b/1"


def test_a_body_that_is_too_large_is_refused_with_or_without_a_length(client: TestClient):
    def stream() -> Iterator[bytes]:
        yield b'"' + b"x" * BYTES_MAX + b'"'

    declared = post(client, b'"' + b"x" * BYTES_MAX + b'"')
    chunked = client.post("/json", content=stream(), headers={"content-type": "application/json"})

    assert (declared.status_code, chunked.status_code) == (413, 413)
    assert "10,000 bytes" in declared.json()["error"]["message"]


def test_the_file_of_a_form_is_read(client: TestClient):
    answer = client.post("/form", files={"file": ("a.png", b"x" * 5000, "image/png")}, data={"purpose": "reference"})

    assert answer.json() == {"size": 5000}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=a; charset=base64", b"--a\r\n\r\n"),
        ("multipart/form-data; boundary=a", b"--a\r\nContent-Disposition: form-data\r\n\r\nx\r\n--a--\r\n"),
        (
            "multipart/form-data; boundary=a",
            b'--a\r\nContent-Disposition: form-data; name="fil"\r\n\r\nx\r\n--a--\r\n',
        ),
        (
            "multipart/form-data; boundary=a",
            b'--a\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx',
        ),
        ("multipart/form-data; boundary=a", TWO_FILES),
        ('multipart/form-data; boundary="a\x01"', b"x"),
        ("multipart/form-data; boundary=\xe4", b"--\xe4--"),
        ("multipart/form-data; boundary=" + "a" * 5000, b"x"),
    ],
)
def test_a_broken_form_is_refused(client: TestClient, kind: str, body: bytes):
    answer = client.post("/form", content=body, headers=[(b"content-type", kind.encode("latin-1"))])

    assert answer.status_code == 400
    assert answer.json()["error"]["metadata"]["problems"][0]["code"] == "invalid_form"


def test_a_form_that_is_too_large_is_refused(client: TestClient):
    assert client.post("/form", files={"file": b"x" * (BYTES_MAX + 1)}).status_code == 413


def test_a_fingerprint_tells_bodies_apart_by_what_they_mean():
    assert bodies.fingerprint({"a": 1, "b": [2]}) == bodies.fingerprint({"b": [2], "a": 1})
    assert bodies.fingerprint({"a": [1, 2]}) != bodies.fingerprint({"a": [2, 1]})
    assert bodies.fingerprint({"a": 1}) != bodies.fingerprint({"a": "1"})
    assert bodies.fingerprint(["x" * 20_000]) == bodies.fingerprint(["x" * 20_000])
    assert bodies.fingerprint(["x" * 20_000]) != bodies.fingerprint(["x" * 20_001])


def test_a_body_that_stops_arriving_is_given_up(monkeypatch: pytest.MonkeyPatch):
    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    async def read() -> None:
        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]}
        await bodies.read_json(Request(scope, receive), bytes_max=BYTES_MAX)

    monkeypatch.setattr(bodies, "IDLE_SECONDS_MAX", 0.01)
    with pytest.raises(bodies.TooSlow, match="Timeout while reading"):
        asyncio.run(read())
