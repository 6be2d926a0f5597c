"""fal's webhook at a request's end, signed with a key of our own that everybody can look up."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from framegate.api.dialects.fal.errors import failure_of
from framegate.api.dialects.fal.jobs import DIALECT
from framegate.api.dialects.fal.responses import endpoint_of, result_answer
from framegate.catalogue import Catalogue
from framegate.domain import Job
from framegate.jobs.webhooks.dialect import DeliveryAttempt, WebhookDialect, WebhookEvent, ended

# Ten tries in two hours, as fal says of its own. Seconds between one try and the next.
SCHEDULE_SECONDS = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3080.0)


def seed_of(secret: bytes) -> bytes:
    """The seed of the key that signs."""
    return hashlib.sha256(b"fal webhooks\n" + secret).digest()


def hook(secret: bytes, catalogue: Catalogue) -> WebhookDialect:
    """fal's webhook: one call, at the end of the request, whatever the end."""

    def body(happening: WebhookEvent) -> dict[str, Any]:
        return webhook_body(happening.after, secret, catalogue)

    def headers(sending: DeliveryAttempt) -> dict[str, str]:
        delivery = sending.delivery
        return signature_headers(delivery.job_id, delivery.owner, sending.at, sending.raw, seed_of(secret))

    return WebhookDialect(
        dialect=DIALECT, events=_events, body=body, headers=headers, schedule_seconds=SCHEDULE_SECONDS
    )


def signature_headers(request_id: str, user_id: str, at: int, raw: bytes, seed: bytes) -> dict[str, str]:
    """Return fal's signature headers: Ed25519 over request id, user id, timestamp and body SHA-256 in four lines, in hex."""
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


def webhook_body(job: Job, secret: bytes, catalogue: Catalogue) -> dict[str, Any]:
    """What is told: the output, or the error that the result answers."""
    said = {"request_id": job.id, "gateway_request_id": job.id}
    endpoint = endpoint_of(job, catalogue)
    failure = failure_of(job, endpoint)
    if failure is not None:
        wrong = f"Invalid status code: {failure.status}"
        return {**said, "status": "ERROR", "error": wrong, "payload": dict(failure.body)}
    output = result_answer(job, base=job.base_url, secret=secret, endpoint=endpoint)
    return {**said, "status": "OK", "error": None, "payload": output}


def _events(before: Job | None, after: Job) -> Sequence[str]:
    return ("completed",) if ended(before, after) else ()
