"""Verification of fal's webhooks by the keys that fal publishes.

Facts: docs.fal.ai (Model APIs: webhooks), and `/.well-known/jwks.json` at fal's REST host.
"""

import asyncio
import base64
import hashlib
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from framegate.domain.errors import ProviderError
from framegate.domain.json import as_list, at
from framegate.net.vendor_client import VendorClient

CLOCK_SKEW_SECONDS_MAX = 300.0
KEYS_AGE_SECONDS_MAX = 24 * 3600.0
KEYS_AGE_SECONDS_MIN = 300.0  # an unknown signature reads the keys again, but not more often than this
KEYS_MAX = 16
REQUEST_ID_CHARS_MAX = 4096
JWKS_PATH = ".well-known/jwks.json"


def is_signed(keys: list[bytes], headers: Mapping[str, str], raw: bytes) -> bool:
    """Whether one of the keys signed this request."""
    signed_headers = [headers.get(f"x-fal-webhook-{name}", "") for name in ("request-id", "user-id", "timestamp")]
    message = "\n".join((*signed_headers, hashlib.sha256(raw).hexdigest())).encode()
    try:
        signature = bytes.fromhex(headers.get("x-fal-webhook-signature", "")[:256])
    except ValueError:
        return False
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


def is_recent(headers: Mapping[str, str], now: float) -> bool:
    """Whether the request was signed within the last minutes."""
    timestamp = headers.get("x-fal-webhook-timestamp", "")
    is_number = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 20
    return is_number and abs(now - int(timestamp)) <= CLOCK_SKEW_SECONDS_MAX


def ed25519_keys(jwks: object) -> list[bytes]:
    """The Ed25519 keys of a JSON Web Key Set."""
    keys: list[bytes] = []
    for row in as_list(at(jwks, "keys"))[:KEYS_MAX]:
        x = at(row, "x")
        if at(row, "crv") == "Ed25519" and isinstance(x, str):
            try:
                keys.append(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))
            except ValueError:
                continue
    return keys


class FalWebhookVerifier:
    """Verifies webhooks; fal's keys are cached for a day at most."""

    def __init__(self, rest_client: VendorClient) -> None:
        self._rest_client = rest_client
        self._keys: list[bytes] = []
        self._read_at = -KEYS_AGE_SECONDS_MAX
        self._lock = asyncio.Lock()

    async def verify(self, headers: Mapping[str, str], raw: bytes, *, now: float) -> str | None:
        """The id of the request that a webhook is about; None if fal did not sign it within the last minutes.

        Raises `ProviderError` if fal's keys cannot be read.
        """
        request_id = headers.get("x-fal-webhook-request-id", "")
        if not request_id or len(request_id) > REQUEST_ID_CHARS_MAX or not is_recent(headers, now):
            return None
        for age_seconds_max in (KEYS_AGE_SECONDS_MAX, KEYS_AGE_SECONDS_MIN):
            if is_signed(await self._fresh_keys(age_seconds_max), headers, raw):
                return request_id
        return None

    async def _fresh_keys(self, age_seconds_max: float) -> list[bytes]:
        machine = self._rest_client.machine
        async with self._lock:
            if machine.monotonic() - self._read_at >= age_seconds_max:
                response = await self._rest_client.query("GET", JWKS_PATH)
                keys = ed25519_keys(response.json()) if response.ok else []
                if not keys:
                    raise ProviderError("fal's webhook keys cannot be read.")
                self._keys, self._read_at = keys, machine.monotonic()
            return self._keys
