"""The one signer of URLs and tokens: HMAC-SHA256 over a purpose and its fields."""

import base64
import hashlib
import hmac
from dataclasses import dataclass

EXPIRES_CHARS_MAX = 12  # of a decimal Unix time


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs and verifies with the secret of the gateway. Different purposes never share a signature."""

    secret: bytes

    def sign(self, purpose: str, *fields: object) -> str:
        """Return the signature in hex. Fields must not contain line breaks, except the last one."""
        text = "\n".join((purpose, *map(str, fields)))
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()

    def verify(self, signature: str | None, purpose: str, *fields: object) -> bool:
        """Whether a signature is that of `sign`, compared in constant time."""
        return hmac.compare_digest((signature or "").encode(), self.sign(purpose, *fields).encode())


def encode_payload(payload: bytes) -> str:
    """Return URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(payload).rstrip(b"=").decode()


def decode_payload(text: str) -> bytes:
    """Return what `encode_payload` encoded. Raises `ValueError`."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parse_expiry(text: str | None) -> int | None:
    """Return a Unix time from a query parameter; None if it is none."""
    is_decimal = text is not None and text.isascii() and text.isdecimal() and len(text) <= EXPIRES_CHARS_MAX
    return int(text) if text and is_decimal else None
