"""Wording of an account's troubles, in the log and in its jobs."""

import logging

from framegate.domain.errors import FramegateError, NotSent, Refused
from framegate.providers.base import Provider

_log = logging.getLogger(__name__)

LOG_INTERVAL_SECONDS = 60.0  # the same trouble is logged at most so often
FAILED_POLLS_MIN = 5  # in a row, before it is logged
UNAUTHORIZED = 401
ACCOUNT_STATUSES = frozenset({UNAUTHORIZED, 402, 403})  # the fault of the account, not of the order
CANNOT_BE_REACHED = "cannot be reached"
ACCEPTS_NO_ORDERS = "accepts no orders"


class AccountLog:
    """Logs when an account stops accepting orders or polls, and when it recovers: once each, not at every attempt."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._trouble = ""  # the one that was logged and has not ended
        self._logged_at: dict[str, float] = {}  # by trouble
        self._failed_polls = 0  # in a row

    def submit_failed(self, trouble: str, error: FramegateError | None, *, at: float) -> None:
        """Log why the account accepts no orders."""
        is_recent = at - self._logged_at.get(trouble, -LOG_INTERVAL_SECONDS) < LOG_INTERVAL_SECONDS
        if trouble == self._trouble or is_recent:
            return
        self._trouble, self._logged_at[trouble] = trouble, at
        _log.warning("Account %s %s. %s", self._label, trouble, error.message if error else "")

    def submit_ok(self) -> None:
        """Log that the account accepts orders again."""
        if self._trouble:
            _log.warning("Account %s accepts orders again.", self._label)
            self._trouble = ""

    def poll_failed(self, error: FramegateError) -> None:
        """Count a failed poll; log the fifth in a row."""
        self._failed_polls += 1
        if self._failed_polls == FAILED_POLLS_MIN:
            _log.warning("Account %s: orders cannot be polled. %s", self._label, error.message)

    def poll_ok(self) -> None:
        """Log that the account's orders can be polled again."""
        if self._failed_polls >= FAILED_POLLS_MIN:
            _log.warning("Account %s: orders can be polled again.", self._label)
        self._failed_polls = 0


def account_label(provider: Provider) -> str:
    """Return the name of an account for people."""
    return f"{provider.name}/{provider.account}" if provider.account else provider.name


def trouble_summary(error: FramegateError | None) -> str:
    """Return why an order was not accepted, as words that follow the account's name."""
    if isinstance(error, NotSent) and error.connect_failed:
        return CANNOT_BE_REACHED
    return ACCEPTS_NO_ORDERS if error is None or isinstance(error, NotSent) else "responds to orders with errors"


def with_account(provider: Provider, error: FramegateError) -> str:
    """Return an order's error, with the account's name if the account is at fault."""
    status = error.status if isinstance(error, Refused) else None
    if status in ACCOUNT_STATUSES or (isinstance(error, NotSent) and error.connect_failed):
        return f"{error.message} Account: `{account_label(provider)}`."
    return error.message
