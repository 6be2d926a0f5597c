"""Links that carry their own permission: whoever holds one may fetch that file, until it expires."""

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import urlencode

from framegate.domain import Blob
from framegate.domain.machine import REAL_MACHINE, Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlSigner:
    """Signs links to files and checks them, with HMAC-SHA256 over job, file and expiry."""

    secret: bytes
    seconds: int
    clock: Clock = REAL_MACHINE

    def expires_at(self) -> int:
        """When a link made now expires, in Unix seconds.

        The end is cut to a grid of 1/24 of the life, so that polls of one job mostly say the same and caches hit.
        """
        grid = max(1, self.seconds // 24)
        return int(self.clock.now() + self.seconds) // grid * grid

    def query(self, job_id: str, what: str) -> str:
        """The part of a link that permits fetching `what` of a job."""
        expires = self.expires_at()
        return urlencode({"expires": expires, "signature": self._signature(job_id, what, expires)})

    def permits(self, job_id: str, what: str, *, expires: str | None, signature: str | None) -> bool:
        """Whether these are the values of a link of ours that has not expired."""
        if not expires or not signature or not (expires.isascii() and expires.isdecimal()) or len(expires) > 12:
            return False
        right = self._signature(job_id, what, int(expires))
        return hmac.compare_digest(signature.encode(), right.encode()) and self.clock.now() < int(expires)

    def _signature(self, job_id: str, what: str, expires: int) -> str:
        text = f"framegate-link-1\n{job_id}\n{what}\n{expires}"
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()


def asset_link(links: UrlSigner, base_url: str, blob: Blob) -> str:
    """Where whoever holds the link may fetch a reference: for the services that make videos from it."""
    query = urlencode({"type": blob.media_type})
    return f"{base_url}/api/v1/assets/{blob.sha256}?{query}&{links.query(blob.sha256, asset_of(blob.media_type))}"


def asset_of(media_type: str) -> str:
    """What a link to a reference permits: the file, as the type that it was kept with."""
    return f"asset {media_type}"
