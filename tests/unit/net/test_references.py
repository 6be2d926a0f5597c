"""References from a real local server, through the fetcher, into storage."""

from pathlib import Path

import pytest

from framegate.config.settings import Settings
from framegate.domain import Blob, Reference
from framegate.domain.errors import ReferenceUnusable
from framegate.net.fetcher import Fetcher
from framegate.storage.blobs import BlobStore
from framegate.storage.ingest import ingest_reference
from support.inline_decoder import InlineDecoder
from support.paths import PHOTOS
from support.web_server import Web, answer

pytestmark = pytest.mark.anyio
CAT = PHOTOS / "cat.png"


async def no_asset(sha256: str) -> Blob | None:
    return None


async def test_a_served_photo_becomes_a_stored_reference(net: Fetcher, web: Web, settings: Settings, tmp_path: Path):
    blobs = BlobStore(tmp_path / "blobs")
    url = web.says("/cat", answer(CAT.read_bytes(), content_type="application/octet-stream"))
    reference = Reference(url=url)
    ingested = await ingest_reference(
        reference, index=0, fetcher=net, blobs=blobs, decoder=InlineDecoder(), settings=settings, find_asset=no_asset
    )
    assert ingested.blob.media_type == "image/png"
    assert blobs.path(ingested.blob.sha256).read_bytes() == CAT.read_bytes()


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (answer(CAT.read_bytes()[:1000]), "reference_truncated"),
        (answer(b"{}", content_type="application/json"), "reference_not_an_image"),
        (answer(b"<html></html>"), "reference_is_html"),
        (answer(b"", "403 Forbidden"), "reference_forbidden"),
    ],
)
async def test_an_unusable_file_is_rejected_and_not_stored(
    net: Fetcher, web: Web, settings: Settings, tmp_path: Path, reply: bytes, code: str
):
    blobs = BlobStore(tmp_path / "blobs")
    reference = Reference(url=web.says("/cat.png", reply), pointer="/input_references/0/image_url/url")
    with pytest.raises(ReferenceUnusable) as caught:
        await ingest_reference(
            reference,
            index=0,
            fetcher=net,
            blobs=blobs,
            decoder=InlineDecoder(),
            settings=settings,
            find_asset=no_asset,
        )
    assert (caught.value.code, caught.value.problems[0].pointer) == (code, reference.pointer)
    assert not any(path.is_file() for path in blobs.root.rglob("*"))
