"""Phaseo's signed addresses of videos: a token, its signature, and its end. Whoever holds one needs no key."""

import base64
import hmac
import json
from typing import Any
from urllib.parse import urlencode

from framegate.api.http.signed_urls import UrlSigner
from framegate.domain import Job

TTL_SECONDS = (60, 900, 3600)  # least, usual, most


def download_url(
    job: Job, here: str, links: UrlSigner, *, index: int, seconds: int | None = None, disposition: str = "attachment"
) -> dict[str, Any]:
    """An address that needs no key for so many seconds, in Phaseo's form: a token, its signature, its end.

    As Phaseo does, a life below 60 or above 3,600 seconds is taken for the nearest of the two.
    """
    least, usual, most = TTL_SECONDS
    expires_at = int(links.clock.now()) + max(least, min(most, usual if seconds is None else seconds))
    claims = {"workspace_id": job.owner, "video_id": job.id, "index": index, "disposition": disposition}
    token = base64.urlsafe_b64encode(json.dumps(claims, separators=(",", ":")).encode()).rstrip(b"=").decode()
    query: dict[str, Any] = {"index": index} if index else {}
    query |= {"download_token": token, "download_sig": _signature(links, token, expires_at), "expires_at": expires_at}
    return {"download_url": f"{here}/content?{urlencode(query)}", "expires_at": expires_at}


def claims_of(
    links: UrlSigner, *, token: str | None, signature: str | None, expires_at: str | None
) -> dict[str, Any] | None:
    """What a signed address permits; None where it is not ours or has expired."""
    if not (token and signature and expires_at and expires_at.isascii() and expires_at.isdecimal()):
        return None
    if len(expires_at) > 12 or links.clock.now() > int(expires_at):
        return None
    if not hmac.compare_digest(signature.encode(), _signature(links, token, int(expires_at)).encode()):
        return None
    return json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))


def _signature(links: UrlSigner, token: str, expires_at: int) -> str:
    secret = hmac.digest(links.secret, b"framegate phaseo downloads", "sha256")
    return hmac.digest(secret, f"{token}.{expires_at}".encode(), "sha256").hex()
