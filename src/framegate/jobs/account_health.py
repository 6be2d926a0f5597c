"""How the gate stands with each account: paused where it asked for peace or fails again and again, and not too fast.

The log is told when an account begins to take no orders, or to answer no looks, and when it does again: once each, not
at every try.
"""

import logging
from collections import deque
from dataclasses import dataclass, field

from framegate.domain.errors import FramegateError, NotSent, Refused
from framegate.domain.machine import Clock
from framegate.providers.base import Provider

_log = logging.getLogger(__name__)

FAILURES_MAX = 5  # in a row, before an account is left alone for a while
PAUSE_SECONDS = 30.0
PAUSE_SECONDS_MAX = 600.0
DOUBLINGS_MAX = 16  # of a pause: that is far beyond the longest
MINUTE = 60.0
QUIET_SECONDS = 60.0  # the same trouble that comes and goes is told no more often
LOOKS_MAX = 5  # that fail in a row before the log is told: one or two are nothing
KEY_REFUSED = 401
OF_THE_ACCOUNT = frozenset({KEY_REFUSED, 402, 403})  # no key, no money, no right: that is not the order's own fault
UNREACHED = "cannot be reached"
UNWILLING = "takes no orders for now"


@dataclass(slots=True)
class AccountState:
    paused_until: float = 0.0
    failures: int = 0
    begun: deque[float] = field(default_factory=deque[float])  # orders of the last minute
    trouble: str = ""  # why the newest order did not go out, in few words; empty where it did
    logged: str = ""  # the trouble that the log tells of
    logged_at: dict[str, float] = field(default_factory=dict[str, float])  # by trouble
    unseen: int = 0  # looks that failed, in a row


class AccountHealth:
    """Of every account, in this process. A circuit breaker, a pace, and an ear for "later"."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts: dict[tuple[str, str], AccountState] = {}

    def _of(self, provider: Provider) -> AccountState:
        return self._accounts.setdefault((provider.name, provider.account), AccountState())

    def retry_in(self, provider: Provider) -> float:
        """Seconds until the account may be sent an order."""
        account, now = self._of(provider), self._clock.now()
        pace = provider.requests_per_minute
        while account.begun and account.begun[0] <= now - MINUTE:
            account.begun.popleft()
        crowded = account.begun[0] + MINUTE - now if pace is not None and len(account.begun) >= pace else 0.0
        return max(0.0, account.paused_until - now, crowded)

    def reason(self, provider: Provider) -> str:
        """What an order waits for there, in few words."""
        account = self._of(provider)
        if account.paused_until > self._clock.now():
            return account.trouble or UNWILLING
        return f"{provider.requests_per_minute} orders a minute"

    def is_paused(self, provider: Provider) -> bool:
        """Whether the account takes no orders just now."""
        return self.retry_in(provider) > 0

    def record_submit(self, provider: Provider) -> None:
        """An order goes out."""
        self._of(provider).begun.append(self._clock.now())

    def record_success(self, provider: Provider) -> None:
        """The account took an order, or looked at one and refused it."""
        account = self._of(provider)
        account.failures, account.trouble = 0, ""
        if account.logged:
            _log.warning("The account %s takes orders again.", account_label(provider))
            account.logged = ""

    def record_rejection(self, provider: Provider, error: Refused) -> None:
        """The account refused an order, or its adapter did: then nobody was asked."""
        if error.status is None:
            return
        self._of(provider).failures = 0
        if error.status in OF_THE_ACCOUNT:
            what = "its key is refused" if error.status == KEY_REFUSED else "it is refused orders"
            self._tell(provider, what, error)
        else:
            self.record_success(provider)

    def record_failure(
        self, provider: Provider, error: FramegateError | None = None, *, retry_after: float | None = None
    ) -> None:
        """The account could not take an order; it may have said for how long."""
        account = self._of(provider)
        account.failures += 1
        account.trouble = trouble_summary(error)
        times = account.failures - FAILURES_MAX
        pause = min(PAUSE_SECONDS * 2 ** min(times, DOUBLINGS_MAX), PAUSE_SECONDS_MAX) if times >= 0 else 0.0
        account.paused_until = max(account.paused_until, self._clock.now() + max(pause, retry_after or 0.0))
        self._tell(provider, f"it {account.trouble}, so that jobs wait for it or go elsewhere", error)

    def record_poll_ok(self, provider: Provider) -> None:
        """A look at an order was answered."""
        account = self._of(provider)
        if account.unseen >= LOOKS_MAX:
            _log.warning("The account %s tells of its orders again.", account_label(provider))
        account.unseen = 0

    def record_poll_failed(self, provider: Provider, error: FramegateError) -> None:
        """A look at an order failed."""
        account = self._of(provider)
        account.unseen += 1
        if account.unseen == LOOKS_MAX:
            _log.warning("The account %s: its orders cannot be looked at. %s", account_label(provider), error.message)

    def _tell(self, provider: Provider, what: str, error: FramegateError | None) -> None:
        account, now = self._of(provider), self._clock.now()
        if what == account.logged or now - account.logged_at.get(what, -QUIET_SECONDS) < QUIET_SECONDS:
            return
        account.logged, account.logged_at[what] = what, now
        _log.warning("The account %s: %s. %s", account_label(provider), what, error.message if error else "")


def account_label(provider: Provider) -> str:
    """An account, as people are told of it."""
    return f"{provider.name}/{provider.account}" if provider.account else provider.name


def trouble_summary(error: FramegateError | None) -> str:
    """Why an order did not go out, in few words that follow an account's name."""
    if isinstance(error, NotSent) and error.connect_failed:
        return UNREACHED
    return UNWILLING if error is None or isinstance(error, NotSent) else "answers orders with errors"


def with_account(provider: Provider, error: FramegateError) -> str:
    """What went wrong with an order, and at which account where that is the account's fault."""
    status = error.status if isinstance(error, Refused) else None
    if status in OF_THE_ACCOUNT or (isinstance(error, NotSent) and error.connect_failed):
        return f"{error.message} The account is `{account_label(provider)}`."
    return error.message
