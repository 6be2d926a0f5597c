"""A reference's own link: what a provider is given to fetch it by."""

import httpx2
import pytest

from framegate.api.http.signed_urls import UrlSigner, asset_link
from framegate.domain import Blob


@pytest.fixture
def linked(served_gateway, photos):
    """A served gateway with an uploaded picture, and the signed link to it."""
    with served_gateway.client() as client:
        asset = client.post("/assets", content=photos[0].read_bytes(), headers={"content-type": "image/png"}).json()
    return served_gateway, asset


def test_an_unsigned_or_forged_link_to_a_reference_opens_nothing(linked):
    gateway, asset = linked
    sha256 = asset["url"].removeprefix("asset://")
    forged = UrlSigner(secret=b"another gateway's secret", seconds=600)
    blob = Blob(sha256=sha256, size_bytes=1, media_type="image/png")
    with gateway.client() as client:
        plain = client.get(f"/assets/{sha256}?type=image/png")
        false = client.get(asset_link(forged, str(client.base_url).rstrip("/").removesuffix("/api/v1"), blob))

    assert (plain.status_code, false.status_code) == (401, 401)
    assert "Invalid or expired signed URL" in false.json()["error"]["message"]


def test_a_link_opens_that_file_as_that_type_and_no_other():
    links = UrlSigner(secret=b"s", seconds=600)
    blob = Blob(sha256="a" * 64, size_bytes=1, media_type="image/png")
    query = dict(httpx2.URL(asset_link(links, "https://gate.example", blob)).params)
    signed = {"expires": query["expires"], "signature": query["signature"]}

    assert links.permits("a" * 64, "asset image/png", signed)
    assert not links.permits("b" * 64, "asset image/png", signed)
    assert not links.permits("a" * 64, "asset text/html", signed)
