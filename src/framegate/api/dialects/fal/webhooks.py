"""fal's webhook at the end of a request, signed with a key that receivers look up in the JSON Web Key Set."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from framegate.api.dialects.fal.errors import failure_of
from framegate.api.dialects.fal.jobs import DIALECT
from framegate.api.dialects.fal.responses import endpoint_of, result_body
from framegate.api.http.signed_urls import UrlSigner
from framegate.catalogue import Catalogue
from framegate.domain import Job
from framegate.jobs.webhooks.dialect import DeliveryAttempt, WebhookDialect, WebhookEvent, ended

# Seconds between attempts: ten attempts in two hours, as fal documents.
SCHEDULE_SECONDS = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3080.0)


def webhook_dialect(signer: UrlSigner, catalogue: Catalogue) -> WebhookDialect:
    """Return fal's webhook: one call at the end of the request, however it ended."""
    seed = seed_of(signer.secret)

    def body(event: WebhookEvent) -> dict[str, Any]:
        return webhook_body(event.after, signer, catalogue)

    def headers(attempt: DeliveryAttempt) -> dict[str, str]:
        delivery = attempt.delivery
        return signature_headers(delivery.job_id, delivery.owner, attempt.at, attempt.raw, seed)

    return WebhookDialect(
        dialect=DIALECT, events=_events, body=body, headers=headers, schedule_seconds=SCHEDULE_SECONDS
    )


def webhook_body(job: Job, signer: UrlSigner, catalogue: Catalogue) -> dict[str, Any]:
    """Return the body of the webhook, with the output or the error that the result has."""
    endpoint = endpoint_of(job, catalogue)
    failure = failure_of(job, endpoint)
    if failure is not None:
        status, error, payload = "ERROR", f"Invalid status code: {failure.status}", dict(failure.body)
    else:
        status, error = "OK", None
        payload = result_body(job, base=job.base_url, signer=signer.for_key(job.key_id), endpoint=endpoint)
    return {
        "request_id": job.id,
        "gateway_request_id": job.id,
        "status": status,
        "error": error,
        "payload": payload,
    }


def _events(before: Job | None, after: Job) -> Sequence[str]:
    return ("completed",) if ended(before, after) else ()


# -- signature


def seed_of(secret: bytes) -> bytes:
    """Return the seed of the signing key, derived from the secret of the gateway."""
    return hashlib.sha256(b"fal webhooks\n" + secret).digest()


def signature_headers(request_id: str, user_id: str, at: int, raw: bytes, seed: bytes) -> dict[str, str]:
    """Return fal's signature headers: Ed25519 over request id, user id, timestamp and body SHA-256 in four lines."""
    message = "\n".join((request_id, user_id, str(at), hashlib.sha256(raw).hexdigest()))
    return {
        "X-Fal-Webhook-Request-Id": request_id,
        "X-Fal-Webhook-User-Id": user_id,
        "X-Fal-Webhook-Timestamp": str(at),
        "X-Fal-Webhook-Signature": Ed25519PrivateKey.from_private_bytes(seed).sign(message.encode()).hex(),
    }


def jwks(seed: bytes) -> dict[str, Any]:
    """Return the public key that verifies `signature_headers` as a JSON Web Key Set; `seed` is 32 bytes."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
    kid = hashlib.sha256(public).hexdigest()[:16]
    return {"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": x}]}
