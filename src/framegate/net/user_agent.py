"""The `User-Agent` of outgoing requests: name, version, and a contact if the operator sets one."""

from importlib.metadata import version

from framegate.config.settings import Settings


def user_agent(settings: Settings | None = None) -> str:
    """Return `Framegate/VERSION (+CONTACT)`; the contact defaults to the gateway's public URL."""
    contact = (settings.contact or settings.public_url) if settings else None
    return f"Framegate/{version('framegate')}" + (f" (+{contact})" if contact else "")
