"""Phaseo's signed download URLs: a token with its claims, a signature and an expiry. They need no key."""

import json
from typing import Any
from urllib.parse import urlencode

from framegate.api.http.signed_urls import UrlSigner
from framegate.api.http.signing import Signer, decode_payload, encode_payload, parse_expiry
from framegate.domain import Job

PURPOSE = "phaseo download"
TTL_SECONDS_MIN, TTL_SECONDS, TTL_SECONDS_MAX = 60, 900, 3600


def download_url(
    job: Job, url: str, signer: UrlSigner, *, index: int, seconds: int | None = None, disposition: str = "attachment"
) -> dict[str, Any]:
    """Return the signed URL of an output, and when it expires. `url` is the URL of the job.

    As at Phaseo, a lifetime outside 60 to 3,600 seconds is replaced by the closest limit.
    """
    lifetime = max(TTL_SECONDS_MIN, min(TTL_SECONDS_MAX, TTL_SECONDS if seconds is None else seconds))
    expires_at = int(signer.clock.now()) + lifetime
    claims = {"workspace_id": job.owner, "video_id": job.id, "index": index, "disposition": disposition}
    token = encode_payload(json.dumps(claims, separators=(",", ":")).encode())
    signature = Signer(signer.secret).sign(PURPOSE, token, expires_at)
    query: dict[str, Any] = {"index": index} if index else {}
    query |= {"download_token": token, "download_sig": signature, "expires_at": expires_at}
    return {"download_url": f"{url}/content?{urlencode(query)}", "expires_at": expires_at}


def verify_download(
    signer: UrlSigner, *, token: str | None, signature: str | None, expires_at: str | None
) -> dict[str, Any] | None:
    """Return the claims of a signed download URL; None if it is forged or has expired."""
    expiry = parse_expiry(expires_at)
    if not token or expiry is None or signer.clock.now() > expiry:
        return None
    if not Signer(signer.secret).verify(signature, PURPOSE, token, expiry):
        return None
    return json.loads(decode_payload(token))
