"""Validation of webhook URLs."""

from framegate.config.settings import Settings
from framegate.domain import Problem
from framegate.domain.errors import NotDelivered
from framegate.net.fetcher import webhook_target


def callback_problem(url: str, settings: Settings, *, field: str) -> Problem | None:
    """Return the problem of a webhook URL, by the rules of its delivery; None if it can be delivered."""
    try:
        webhook_target(url, settings)
    except NotDelivered as error:
        message = f"`{field}`: {error.message}".replace(f"`{field}`: A webhook URL", f"`{field}`", 1)
        return Problem(code="invalid_value", pointer=f"/{field.replace('.', '/')}", message=message)
    return None
