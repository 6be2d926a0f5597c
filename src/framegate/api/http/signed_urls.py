"""Signed URLs: each permits its holder to fetch one file until it expires."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from framegate.api.http.signing import Signer, parse_expiry
from framegate.domain import Blob
from framegate.domain.machine import REAL_MACHINE, Clock

PURPOSE = "framegate-link-1"
EXPIRY_STEPS = 24  # of the lifetime: polls of one job mostly return the same URL, so that caches hit


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlSigner:
    """Signs the URL of a file with an expiry. `seconds` is the lifetime.

    A URL carries the credential of the key that it was given to, and ends with it. `operator` is the credential of
    requests and jobs without a key of their own.
    """

    secret: bytes
    seconds: int
    clock: Clock = REAL_MACHINE
    operator: str = ""
    credential: str = ""

    def for_key(self, key_id: str | None) -> "UrlSigner":
        """Return the signer of URLs for the holder of a key; None for the operator's key or an open gateway."""
        return replace(self, credential=key_id or self.operator)

    def expires_at(self) -> int:
        """Return when a URL signed now expires, in Unix seconds, rounded down to 1/24 of the lifetime."""
        step = max(1, self.seconds // EXPIRY_STEPS)
        return int(self.clock.now() + self.seconds) // step * step

    def query(self, job_id: str, file: str) -> str:
        """Return the query that permits fetching a file of a job."""
        expires = self.expires_at()
        signature = Signer(self.secret).sign(PURPOSE, job_id, file, expires, *self._bound(self.credential))
        key = {"key": self.credential} if self.credential else {}
        return urlencode({"expires": expires, **key, "signature": signature})

    def permits(self, job_id: str, file: str, query: Mapping[str, str]) -> bool:
        """Whether a query is one of `query` that has not expired; its key may have ended since."""
        expires_at = parse_expiry(query.get("expires"))
        if expires_at is None or self.clock.now() >= expires_at:
            return False
        fields = (job_id, file, expires_at, *self._bound(query.get("key", "")))
        return Signer(self.secret).verify(query.get("signature"), PURPOSE, *fields)

    @staticmethod
    def _bound(credential: str) -> tuple[str, ...]:
        return (credential,) if credential else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLink:
    """File of a job that a URL names: `content`, `poster`, `contact-sheet`, `last-frame` or `matches/N`.

    `credential` is the one of the key that a valid signature belongs to; None without a valid signature.
    """

    job_id: str
    file: str
    index: int = 0
    credential: str | None = None


def signed_link(signer: UrlSigner, job_id: str, file: str, index: int, query: Mapping[str, str]) -> FileLink:
    """Return the link for a file with a query that may be signed by `UrlSigner.query`."""
    is_signed = signer.permits(job_id, f"{file.partition('/')[0]}/{index}", query)
    return FileLink(job_id=job_id, file=file, index=index, credential=query.get("key", "") if is_signed else None)


def asset_link(signer: UrlSigner, base_url: str, blob: Blob) -> str:
    """Return the signed URL of a reference, for the provider that fetches it."""
    query = urlencode({"type": blob.media_type})
    return f"{base_url}/api/v1/assets/{blob.sha256}?{query}&{signer.query(blob.sha256, asset_file(blob.media_type))}"


def asset_file(media_type: str) -> str:
    """Return how a signed URL names a reference: by the media type that it is served with."""
    return f"asset {media_type}"
