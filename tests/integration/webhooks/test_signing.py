"""Each signature is verified by code written from the vendor's own procedure, not by ours."""

import base64
import hashlib
import hmac
import re

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from framegate.api.dialects.fal import webhooks as fal
from framegate.api.dialects.native import webhooks as native
from framegate.api.dialects.phaseo import webhooks as phaseo
from framegate.domain import Delivery
from framegate.jobs.webhooks.dialect import DeliveryAttempt
from framegate.jobs.webhooks.signing import owner_secret, standard_headers

SECRET = owner_secret(b"m" * 32, "acme")
SEED = bytes(range(32))
RAW = '{"type":"video.generation.completed","text":"é猫"}'.encode()
AT = 1_777_000_000


def test_a_tenants_secret_is_unique_and_stable():
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", SECRET)
    assert owner_secret(b"m" * 32, "acme") == SECRET
    assert owner_secret(b"m" * 32, "other") != SECRET
    assert owner_secret(b"n" * 32, "acme") != SECRET


def test_the_verifier_of_standard_webhooks_accepts_our_signatures_and_no_changed_ones(monkeypatch):
    import datetime as dt

    import standardwebhooks.webhooks as vendor

    class Then(dt.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(AT + 10, tz)

    monkeypatch.setattr(vendor, "datetime", Then)
    headers = standard_headers("0190-id", AT, RAW, SECRET)

    assert Webhook(SECRET).verify(RAW, headers)["type"] == "video.generation.completed"
    for wrong in ({"webhook-id": "other"}, {"webhook-timestamp": str(AT + 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(RAW, headers | wrong)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(RAW + b" ", headers)


def test_openrouters_signature_is_over_timestamp_comma_body():
    headers = native.signature_headers("job-1", "completed", AT, RAW, SECRET)

    parts = dict(part.split("=", 1) for part in headers["X-OpenRouter-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), f"{parts['t']},{RAW.decode()}".encode(), hashlib.sha256).hexdigest()
    assert parts == {"t": str(AT), "v1": expected}
    assert headers["X-OpenRouter-Idempotency-Key"] == "job-1-completed"


def test_phaseos_signature_is_over_timestamp_dot_body_and_names_the_attempt():
    delivery = Delivery(
        id="0190-event",
        job_id="job-1",
        owner="acme",
        dialect="phaseo",
        url="https://h/",
        type="job.completed",
        seq=5,
        body="{}",
        created_at=AT,
        due_at=AT,
    )
    headers = phaseo.signature_headers(
        DeliveryAttempt(delivery=delivery, raw=RAW, at=AT, attempt=2, attempts_max=4, secret=SECRET)
    )

    expected = hmac.new(SECRET.encode(), str(AT).encode() + b"." + RAW, hashlib.sha256).hexdigest()
    assert headers["x-phaseo-timestamp"] == str(AT)
    assert headers["x-phaseo-signature"] == expected
    assert headers["x-phaseo-event-id"] == headers["x-phaseo-delivery-key"] == "0190-event"
    assert headers["x-phaseo-event-type"] == "job.completed"
    assert (headers["x-phaseo-attempt"], headers["x-phaseo-max-attempts"]) == ("2", "4")


def test_fals_signature_is_verified_by_the_published_key_and_by_no_other_body():
    headers = {name.lower(): value for name, value in fal.signature_headers("request-1", "acme", AT, RAW, SEED).items()}
    (key,) = fal.jwks(SEED)["keys"]

    def verify(body: bytes) -> None:
        lines = [headers[f"x-fal-webhook-{name}"] for name in ("request-id", "user-id", "timestamp")]
        message = "\n".join([*lines, hashlib.sha256(body).hexdigest()]).encode()
        public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "=" * (-len(key["x"]) % 4)))
        public.verify(bytes.fromhex(headers["x-fal-webhook-signature"]), message)

    verify(RAW)
    with pytest.raises(InvalidSignature):
        verify(RAW + b" ")
    assert (key["kty"], key["crv"]) == ("OKP", "Ed25519")
    assert len(headers["x-fal-webhook-signature"]) == 128
