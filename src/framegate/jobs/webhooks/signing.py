"""Standard Webhooks signatures (https://www.standardwebhooks.com), which every outbound webhook carries."""

import base64
import hmac

SECRET_PREFIX = "whsec_"  # noqa: S105 - how Standard Webhooks marks a secret


def owner_secret(master: bytes, owner: str) -> str:
    """Return the secret with which a tenant verifies webhooks: `whsec_` and base64, derived from the store's secret."""
    key = hmac.digest(master, f"framegate webhooks {owner}".encode(), "sha256")
    return SECRET_PREFIX + base64.b64encode(key).decode()


def standard_headers(event_id: str, at: int, raw: bytes, secret: str) -> dict[str, str]:
    """Return the headers of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, in base64.

    `at` is in Unix seconds; the key is the decoded part of the secret behind `whsec_`.
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signature = hmac.digest(key, f"{event_id}.{at}.".encode() + raw, "sha256")
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
