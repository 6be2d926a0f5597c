"""Signed URLs: each permits its holder to fetch one file until it expires."""

from dataclasses import dataclass
from urllib.parse import urlencode

from framegate.api.http.signing import Signer, parse_expiry
from framegate.domain import Blob
from framegate.domain.machine import REAL_MACHINE, Clock

PURPOSE = "framegate-link-1"
EXPIRY_STEPS = 24  # of the lifetime: polls of one job mostly return the same URL, so that caches hit


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlSigner:
    """Signs the URL of a file with an expiry. `seconds` is the lifetime."""

    secret: bytes
    seconds: int
    clock: Clock = REAL_MACHINE

    def expires_at(self) -> int:
        """Return when a URL signed now expires, in Unix seconds, rounded down to 1/24 of the lifetime."""
        step = max(1, self.seconds // EXPIRY_STEPS)
        return int(self.clock.now() + self.seconds) // step * step

    def query(self, job_id: str, file: str) -> str:
        """Return the query that permits fetching a file of a job."""
        expires = self.expires_at()
        return urlencode({"expires": expires, "signature": Signer(self.secret).sign(PURPOSE, job_id, file, expires)})

    def permits(self, job_id: str, file: str, *, expires: str | None, signature: str | None) -> bool:
        """Whether a query is one of `query` that has not expired."""
        expires_at = parse_expiry(expires)
        if expires_at is None or self.clock.now() >= expires_at:
            return False
        return Signer(self.secret).verify(signature, PURPOSE, job_id, file, expires_at)


def asset_link(signer: UrlSigner, base_url: str, blob: Blob) -> str:
    """Return the signed URL of a reference, for the provider that fetches it."""
    query = urlencode({"type": blob.media_type})
    return f"{base_url}/api/v1/assets/{blob.sha256}?{query}&{signer.query(blob.sha256, asset_file(blob.media_type))}"


def asset_file(media_type: str) -> str:
    """Return how a signed URL names a reference: by the media type that it is served with."""
    return f"asset {media_type}"
