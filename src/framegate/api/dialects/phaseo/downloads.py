"""Phaseo's signed download URLs: a token with its claims, a signature and an expiry. They need no key."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from framegate.api.http.signed_urls import FileLink, UrlSigner
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
    claims: dict[str, Any] = {"workspace_id": job.owner, "video_id": job.id, "index": index, "disposition": disposition}
    if signer.credential:
        claims["key"] = signer.credential
    token = encode_payload(json.dumps(claims, separators=(",", ":")).encode())
    signature = Signer(signer.secret).sign(PURPOSE, token, expires_at)
    query: dict[str, Any] = {"index": index} if index else {}
    query |= {"download_token": token, "download_sig": signature, "expires_at": expires_at}
    return {"download_url": f"{url}/content?{urlencode(query)}", "expires_at": expires_at}


def verify_download(signer: UrlSigner, query: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the claims of a signed download URL; None if it is forged or has expired. Its key may have ended since."""
    token, expiry = query.get("download_token"), parse_expiry(query.get("expires_at"))
    if not token or expiry is None or signer.clock.now() > expiry:
        return None
    if not Signer(signer.secret).verify(query.get("download_sig"), PURPOSE, token, expiry):
        return None
    return json.loads(decode_payload(token))


def link_of(claims: Mapping[str, Any] | None, job_id: str, index: int) -> FileLink:
    """Return the file that a URL names, by its claims if they are about this job."""
    if claims is None or claims["video_id"] != job_id:
        return FileLink(job_id=job_id, file="content", index=index)
    return FileLink(job_id=job_id, file="content", index=claims["index"], credential=claims.get("key", ""))
