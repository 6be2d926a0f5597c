"""How the gate stands with each account: paused where it asked for peace or fails again and again, and not too fast."""

from collections import deque
from dataclasses import dataclass, field

from framegate.clock import Clock
from framegate.provider import Provider

FAILURES_MAX = 5  # in a row, before an account is left alone for a while
PAUSE_SECONDS = 30.0
PAUSE_SECONDS_MAX = 600.0
DOUBLINGS_MAX = 16  # of a pause: that is far beyond the longest
MINUTE = 60.0


@dataclass(slots=True)
class _Account:
    paused_until: float = 0.0
    failures: int = 0
    begun: deque[float] = field(default_factory=deque[float])  # orders of the last minute


class Standing:
    """Of every account, in this process. A circuit breaker, a pace, and an ear for "later"."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts: dict[tuple[str, str], _Account] = {}

    def _of(self, provider: Provider) -> _Account:
        return self._accounts.setdefault((provider.name, provider.account), _Account())

    def wait(self, provider: Provider) -> float:
        """Seconds until the account may be sent an order."""
        account, now = self._of(provider), self._clock.now()
        pace = provider.requests_per_minute
        while account.begun and account.begun[0] <= now - MINUTE:
            account.begun.popleft()
        crowded = account.begun[0] + MINUTE - now if pace is not None and len(account.begun) >= pace else 0.0
        return max(0.0, account.paused_until - now, crowded)

    def paused(self, provider: Provider) -> bool:
        """Whether the account takes no orders just now."""
        return self.wait(provider) > 0

    def begins(self, provider: Provider) -> None:
        """An order goes out."""
        self._of(provider).begun.append(self._clock.now())

    def worked(self, provider: Provider) -> None:
        """The account answered as it should."""
        self._of(provider).failures = 0

    def failed(self, provider: Provider, *, retry_after: float | None = None) -> None:
        """The account could not take an order; it may have said for how long."""
        account = self._of(provider)
        account.failures += 1
        times = account.failures - FAILURES_MAX
        pause = min(PAUSE_SECONDS * 2 ** min(times, DOUBLINGS_MAX), PAUSE_SECONDS_MAX) if times >= 0 else 0.0
        account.paused_until = max(account.paused_until, self._clock.now() + max(pause, retry_after or 0.0))
