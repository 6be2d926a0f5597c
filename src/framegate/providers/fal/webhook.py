"""Whether a webhook comes from fal: its signature, held against the keys that fal publishes.

Facts: docs.fal.ai (Model APIs: webhooks), and `/.well-known/jwks.json` at fal's REST host.
"""

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from framegate.domain.errors import ProviderError
from framegate.net.vendor_client import VendorClient, at

SKEW_SECONDS_MAX = 300.0
KEYS_SECONDS_MAX = 24 * 3600.0
KEYS_SECONDS_MIN = 300.0  # a signature that no key fits asks for new ones, but not more often than so
KEYS_MAX = 16
ID_CHARS_MAX = 200
JWKS = ".well-known/jwks.json"


def signed_by(keys: list[bytes], headers: Mapping[str, str], raw: bytes) -> bool:
    """Whether one of the keys signed exactly this call."""
    named = [headers.get(f"x-fal-webhook-{name}", "") for name in ("request-id", "user-id", "timestamp")]
    message = "\n".join((*named, hashlib.sha256(raw).hexdigest())).encode()
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


def in_time(headers: Mapping[str, str], now: float) -> bool:
    """Whether the call was signed just now."""
    said = headers.get("x-fal-webhook-timestamp", "")
    return said.isascii() and said.isdecimal() and len(said) < 20 and abs(now - int(said)) <= SKEW_SECONDS_MAX


def keys_in(value: object) -> list[bytes]:
    """The Ed25519 keys of a JSON Web Key Set."""
    found: list[bytes] = []
    listed = at(value, "keys")
    for row in cast("list[Any]", listed)[:KEYS_MAX] if isinstance(listed, list) else []:
        x = at(row, "x")
        if at(row, "crv") == "Ed25519" and isinstance(x, str):
            try:
                found.append(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))
            except ValueError:
                continue
    return found


class FalWebhookVerifier:
    """Verifies what claims to come from fal; its keys are kept for a day at most."""

    def __init__(self, rest: VendorClient) -> None:
        self._rest = rest
        self._keys: list[bytes] = []
        self._read_at = -KEYS_SECONDS_MAX
        self._reading = asyncio.Lock()

    async def verify(self, headers: Mapping[str, str], raw: bytes, *, now: float) -> str | None:
        """The request that a call is about; None where fal did not make it, or not just now.

        Raises `ProviderError` where fal's keys cannot be had.
        """
        request_id = headers.get("x-fal-webhook-request-id", "")
        if not request_id or len(request_id) > ID_CHARS_MAX or not in_time(headers, now):
            return None
        for age_max in (KEYS_SECONDS_MAX, KEYS_SECONDS_MIN):
            if signed_by(await self._known(age_max), headers, raw):
                return request_id
        return None

    async def _known(self, age_max: float) -> list[bytes]:
        async with self._reading:
            if self._rest.machine.monotonic() - self._read_at >= age_max:
                answer = await self._rest.query("GET", JWKS)
                keys = keys_in(answer.json()) if answer.ok else []
                if not keys:
                    raise ProviderError("fal's webhook keys cannot be read.")
                self._keys, self._read_at = keys, self._rest.machine.monotonic()
            return self._keys
