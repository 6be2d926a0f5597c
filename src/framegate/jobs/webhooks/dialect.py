"""Webhooks out: what happens is told in each dialect's own words, and signed as its clients verify it.

Each dialect registers one `Hook`. Whatever it sends carries the headers of Standard Webhooks besides
(https://www.standardwebhooks.com).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import uuid_utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from framegate.domain import Delivery, Job

SECRET_PREFIX = "whsec_"  # noqa: S105 - how Standard Webhooks marks a secret
TIMEOUT_SECONDS = 30.0
# Standard Webhooks' own schedule: a bit over a day in all. Seconds between one try and the next.
SCHEDULE_SECONDS = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0)


# -- signing


def owner_secret(master: bytes, owner: str) -> str:
    """The secret by which an owner verifies webhooks, as `whsec_` and base64; the same as long as the store lives."""
    made = hmac.digest(master, f"framegate webhooks {owner}".encode(), "sha256")
    return SECRET_PREFIX + base64.b64encode(made).decode()


def standard_headers(event_id: str, at: int, raw: bytes, secret: str) -> dict[str, str]:
    """Standard Webhooks: HMAC-SHA256 with the secret's decoded bytes over `id.timestamp.body`, in base64."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signature = hmac.digest(key, f"{event_id}.{at}.".encode() + raw, "sha256")
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def openrouter_headers(job_id: str, status: str, at: int, raw: bytes, secret: str) -> dict[str, str]:
    """OpenRouter's: HMAC-SHA256 with the secret's text over `timestamp,body`, in hex."""
    signature = hmac.digest(secret.encode(), f"{at},".encode() + raw, "sha256").hex()
    return {
        "X-OpenRouter-Signature": f"t={at},v1={signature}",
        "X-OpenRouter-Idempotency-Key": f"{job_id}-{status}",
    }


def phaseo_headers(sending: "DeliveryAttempt") -> dict[str, str]:
    """Phaseo's: HMAC-SHA256 with the secret's text over `timestamp.body`, in hex."""
    signature = hmac.digest(sending.secret.encode(), f"{sending.at}.".encode() + sending.raw, "sha256").hex()
    delivery = sending.delivery
    return {
        "x-phaseo-timestamp": str(sending.at),
        "x-phaseo-signature": signature,
        "x-phaseo-event-id": delivery.id,
        "x-phaseo-event-type": delivery.type,
        "x-phaseo-delivery-key": delivery.id,
        "x-phaseo-attempt": str(sending.attempt),
        "x-phaseo-max-attempts": str(sending.attempts_max),
        "user-agent": "Phaseo-Async-Webhook/1.0",
    }


def fal_headers(request_id: str, user_id: str, at: int, raw: bytes, seed: bytes) -> dict[str, str]:
    """fal's: Ed25519 over request id, user id, timestamp and the body's SHA-256 in four lines, in hex."""
    message = "\n".join((request_id, user_id, str(at), hashlib.sha256(raw).hexdigest()))
    return {
        "X-Fal-Webhook-Request-Id": request_id,
        "X-Fal-Webhook-User-Id": user_id,
        "X-Fal-Webhook-Timestamp": str(at),
        "X-Fal-Webhook-Signature": Ed25519PrivateKey.from_private_bytes(seed).sign(message.encode()).hex(),
    }


def jwks(seed: bytes) -> dict[str, Any]:
    """The public key that verifies `fal_headers`, as a JSON Web Key Set; `seed` is 32 bytes."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
    kid = hashlib.sha256(public).hexdigest()[:16]
    return {"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": x}]}


# -- what a dialect registers


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """One event of a job: how the job stood before (None: it was just accepted), and how it stands now."""

    id: str  # UUIDv7
    type: str
    before: Job | None
    after: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """One try to hand over a delivery: the very bytes, and what signs them."""

    delivery: Delivery
    raw: bytes
    at: int  # Unix seconds
    attempt: int  # from 1, by the dialect's schedule
    attempts_max: int
    secret: str  # its owner's, as `whsec_…`; the job's own where it brought one


def unchanged(body: Mapping[str, Any], _attempt: int, _attempts_max: int) -> Mapping[str, Any]:
    """The body as it is: most dialects do not tell the attempt in it."""
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDialect:
    """How one dialect calls back.

    `events` names what a change means in the dialect's words, in order; `Job.request.callback_events`, where given,
    is for it to heed. `body` is built when the event happens and never again, but for what `stamped` adds to each try.
    `schedule_seconds` are the waits between tries: one more try than waits. Any 2xx is taken for delivered.
    """

    dialect: str
    events: Callable[[Job | None, Job], Sequence[str]]
    body: Callable[[WebhookEvent], Mapping[str, Any]]
    headers: Callable[[DeliveryAttempt], Mapping[str, str]]
    per_attempt_body: Callable[[Mapping[str, Any], int, int], Mapping[str, Any]] = unchanged
    secret_of: Callable[[Job], str | None] | None = None  # for dialects whose clients bring secrets of their own
    schedule_seconds: tuple[float, ...] = SCHEDULE_SECONDS
    timeout_seconds: float = TIMEOUT_SECONDS

    @property
    def attempts_max(self) -> int:
        """How often a delivery is tried before it is given up."""
        return len(self.schedule_seconds) + 1


def ended(before: Job | None, after: Job) -> bool:
    """Whether this change ended the job. It is true of one change of a job at most."""
    return after.state.is_final and not (before is not None and before.state.is_final)


class WebhookDialects:
    """What every dialect calls back, and the secret that signs it."""

    def __init__(self, hooks: Iterable[WebhookDialect] = (), *, master: bytes = b"") -> None:
        self._hooks = {hook.dialect: hook for hook in hooks}
        self._master = master

    def get(self, dialect: str) -> WebhookDialect | None:
        return self._hooks.get(dialect)

    def secret(self, owner: str) -> str:
        """The secret by which an owner verifies webhooks."""
        return owner_secret(self._master, owner)

    def deliveries(self, before: Job | None, after: Job) -> tuple[Delivery, ...]:
        """What a change of a job has to tell, to be written with it in one transaction."""
        hook, url = self._hooks.get(after.dialect), after.request.callback_url
        if hook is None or not url:
            return ()
        return tuple(_delivery(hook, url, kind, before, after) for kind in hook.events(before, after))

    def signed_request(
        self, delivery: Delivery, hook: WebhookDialect, *, at: int, job: Job | None = None
    ) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of the next try. `job` may bring a secret of its own, where the dialect has such."""
        attempt = delivery.attempts - delivery.attempts_at_replay + 1
        body = hook.per_attempt_body(json.loads(delivery.body), attempt, hook.attempts_max)
        raw = _json(body).encode()
        secret = self.secret(delivery.owner)
        own = hook.secret_of(job) if hook.secret_of and job else None
        sending = DeliveryAttempt(
            delivery=delivery, raw=raw, at=at, attempt=attempt, attempts_max=hook.attempts_max, secret=own or secret
        )
        headers = {"content-type": "application/json", "user-agent": "Framegate-Webhook/1.0"}
        return raw, {**headers, **hook.headers(sending), **standard_headers(delivery.id, at, raw, secret)}


def _delivery(hook: WebhookDialect, url: str, kind: str, before: Job | None, after: Job) -> Delivery:
    happening = WebhookEvent(id=str(uuid_utils.uuid7()), type=kind, before=before, after=after)
    return Delivery(
        id=happening.id,
        job_id=after.id,
        owner=after.owner,
        dialect=after.dialect,
        url=url,
        type=kind,
        seq=after.version,
        body=_json(hook.body(happening)),
        created_at=after.updated_at,
        due_at=after.updated_at,
    )


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
