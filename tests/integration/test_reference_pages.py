"""The API reference of each API, and the security headers of pages and files."""

import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from framegate.api.http import uploads

APIS = ["/api/v1", "/phaseo/v1", "/pictory", "/fal"]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("end", ["", "/"])
def test_a_reference_page_loads_only_what_the_gateway_serves_itself(gateway: TestClient, api: str, end: str):
    page = gateway.get(f"http://127.0.0.1{api}/docs{end}")
    addresses = re.findall(r'(?:src|href|data-openapi)="([^"#]+)"', page.text)
    policy = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "<style" not in page.text
    assert re.findall(r"<script(?![^>]*\bsrc=)", page.text) == []
    assert len(addresses) >= 4
    for address in set(addresses) - {"data:,"}:
        assert address.startswith(f"{api}/")
        answer = gateway.get(f"http://127.0.0.1{address}")
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_addresses_of_a_page_have_the_path_of_the_public_url(open_gateway: Callable[..., TestClient]):
    page = open_gateway(public_url="https://video.example/gate").get("/docs").text

    assert 'src="/gate/api/v1/docs/reference.js"' in page
    assert 'data-openapi="/gate/api/v1/openapi.json"' in page


@pytest.mark.parametrize(
    ("settings", "security"), [({}, [{}, {"key": []}]), ({"api_key": "k"}, [{"key": []}])], ids=["open", "with a key"]
)
def test_every_document_names_the_scheme_of_the_key(
    open_gateway: Callable[..., TestClient], settings: dict[str, str], security: list[object]
):
    client = open_gateway(**settings)
    for api in APIS:
        document = client.get(f"http://127.0.0.1{api}/openapi.json").json()

        assert document["security"] == security
        assert document["components"]["securitySchemes"]["key"]["type"] in ("http", "apiKey")


def test_there_is_no_other_file_beside_the_page(gateway: TestClient):
    assert gateway.get("/docs/reference.py").status_code == 404
    assert gateway.get("/docs/..%2Fopenapi.py").status_code == 404


@pytest.mark.parametrize(
    ("count", "headers", "says"),
    [
        (uploads.PARTS_MAX + 1, b"X: y\r\n", "parts"),
        (1, b"X: y\r\n" * (uploads.PART_HEADERS_MAX + 1), "headers"),
        (1, b"X: " + b"y" * uploads.PART_HEADER_BYTES_MAX + b"\r\n", "headers"),
        (1, b"X" * (uploads.PART_HEADER_BYTES_MAX + 1) + b": y\r\n", "headers"),
    ],
)
def test_a_form_of_too_many_parts_or_headers_is_refused(gateway: TestClient, count: int, headers: bytes, says: str):
    part = b"--a\r\n" + headers + b"\r\nx\r\n"
    kind = {"content-type": "multipart/form-data; boundary=a"}
    answer = gateway.post("/assets", content=part * count + b"--a--\r\n", headers=kind)

    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]
