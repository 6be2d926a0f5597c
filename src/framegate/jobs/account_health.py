"""Per-account health: a circuit breaker (consecutive failures, Retry-After, probes) and a submit rate limit."""

from collections import deque

from framegate.domain.errors import FramegateError, Refused
from framegate.domain.machine import Clock
from framegate.jobs.account_messages import (
    ACCEPTS_NO_ORDERS,
    ACCOUNT_STATUSES,
    UNAUTHORIZED,
    AccountLog,
    account_label,
    trouble_summary,
)
from framegate.providers.base import Provider

FAILURES_MAX = 5  # jobs that failed in a row, before an account is paused
PAUSE_SECONDS = 30.0  # doubled by each failed probe
PAUSE_SECONDS_MAX = 600.0
DOUBLINGS_MAX = 16  # keeps the power finite; the longest pause is reached long before
PROBE_SECONDS_MAX = 150.0  # for the outcome of a probe; an order is answered within 120
PROBE_CHECK_SECONDS = 5.0  # until a job that waits for the outcome of a probe looks again
PROBE_PRECEDENCE_SECONDS = 2.0  # of jobs that have not failed over those that have
WINDOW_SECONDS = 60.0  # of the rate limit


class CircuitBreaker:
    """Pauses an account after failures of several jobs in a row, and for as long as it asks (Retry-After).

    A job that fails again and again counts once: its order may be at fault. After a pause one order is a probe: if the
    account accepts it the pause is over, else the next one is longer.
    """

    def __init__(self) -> None:
        self._asked_until = 0.0  # by the account
        self._paused_until = 0.0
        self._probe_until = 0.0  # while the outcome of a probe is awaited
        self._pauses = 0  # in a row
        self._failed_jobs: set[str] = set()  # since the last success

    def retry_in(self, now: float, job_id: str = "") -> float:
        """Seconds until the job may order; 0 or less if it may. Jobs that have failed leave the probe to others."""
        wait = max(self._asked_until, self._paused_until) - now
        if not self._pauses:
            return wait
        wait = max(wait, min(self._probe_until - now, PROBE_CHECK_SECONDS))
        return wait + PROBE_PRECEDENCE_SECONDS if wait > 0 and job_id in self._failed_jobs else wait

    def record_submit(self, now: float) -> None:
        """Record an order; after a pause it is the probe."""
        if self._pauses:
            self._probe_until = now + PROBE_SECONDS_MAX

    def record_success(self) -> None:
        """Forget the failures, and end a pause that followed from them."""
        self._paused_until, self._probe_until, self._pauses = 0.0, 0.0, 0
        self._failed_jobs.clear()

    def record_failure(self, now: float, job_id: str, *, retry_after: float | None) -> None:
        """Count a failed job, and pause the account if too many failed, a probe did, or it asks for a pause."""
        if retry_after:
            self._asked_until = max(self._asked_until, now + retry_after)
        self._failed_jobs.add(job_id)
        is_probe = now < self._probe_until
        self._probe_until = 0.0
        if now < self._paused_until or not (is_probe or len(self._failed_jobs) >= FAILURES_MAX):
            return  # orders that were under way when the pause began say nothing new
        pause = PAUSE_SECONDS * 2 ** min(self._pauses, DOUBLINGS_MAX)
        self._paused_until = now + min(pause, PAUSE_SECONDS_MAX)
        self._pauses += 1


class RateLimiter:
    """Submits of the last minute, against an account's limit of orders per minute."""

    def __init__(self) -> None:
        self._submits: deque[float] = deque()  # on the monotonic clock

    def retry_in(self, now: float, *, limit: int | None) -> float:
        """Seconds until the next submit is within the limit; 0 or less if it is."""
        while self._submits and self._submits[0] <= now - WINDOW_SECONDS:
            self._submits.popleft()
        if limit is None or len(self._submits) < limit:
            return 0.0
        return self._submits[0] + WINDOW_SECONDS - now

    def record_submit(self, now: float) -> None:
        """Count a submit."""
        self._submits.append(now)


class _Account:
    """One account's breaker, limiter and log."""

    def __init__(self, provider: Provider) -> None:
        self.breaker = CircuitBreaker()
        self.limiter = RateLimiter()
        self.log = AccountLog(account_label(provider))
        self.trouble = ""  # why the newest order was not accepted; empty if it was


class AccountHealth:
    """Health of every account, in memory of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts: dict[tuple[str, str], _Account] = {}

    def _account(self, provider: Provider) -> _Account:
        key = (provider.name, provider.account)
        if key not in self._accounts:
            self._accounts[key] = _Account(provider)
        return self._accounts[key]

    def retry_in(self, provider: Provider, job_id: str = "") -> float:
        """Seconds until the next order, of this job if it is named, may be submitted to the account."""
        account, now = self._account(provider), self._clock.monotonic()
        limit = provider.requests_per_minute
        return max(0.0, account.breaker.retry_in(now, job_id), account.limiter.retry_in(now, limit=limit))

    def reason(self, provider: Provider) -> str:
        """Why orders wait, as words that follow the account's name."""
        account = self._account(provider)
        if account.breaker.retry_in(self._clock.monotonic()) > 0:
            return account.trouble or ACCEPTS_NO_ORDERS
        return f"accepts {provider.requests_per_minute} orders per minute"

    def is_paused(self, provider: Provider) -> bool:
        """Whether no order may be submitted to the account at the moment."""
        return self.retry_in(provider) > 0

    def record_submit(self, provider: Provider) -> None:
        """Record that an order is submitted."""
        account, now = self._account(provider), self._clock.monotonic()
        account.limiter.record_submit(now)
        account.breaker.record_submit(now)

    def record_success(self, provider: Provider) -> None:
        """Record that the account accepted an order, or rejected it for what it asks."""
        account = self._account(provider)
        account.breaker.record_success()
        account.trouble = ""
        account.log.submit_ok()

    def record_rejection(self, provider: Provider, error: Refused) -> None:
        """Record that an order was rejected; without a status its adapter did so and the account was not asked."""
        if error.status is None:
            return
        if error.status not in ACCOUNT_STATUSES:
            self.record_success(provider)
            return
        account = self._account(provider)
        account.breaker.record_success()
        trouble = "rejects its API key" if error.status == UNAUTHORIZED else "rejects all orders"
        account.log.submit_failed(trouble, error, at=self._clock.monotonic())

    def record_failure(
        self, provider: Provider, job_id: str, error: FramegateError | None = None, *, retry_after: float | None = None
    ) -> None:
        """Record that the account could not accept a job's order; `retry_after` is the wait that it asked for."""
        account, now = self._account(provider), self._clock.monotonic()
        account.trouble = trouble_summary(error)
        account.breaker.record_failure(now, job_id, retry_after=retry_after)
        account.log.submit_failed(f"{account.trouble}; jobs wait or fall back", error, at=now)

    def record_poll_ok(self, provider: Provider) -> None:
        """Record that a poll was answered."""
        self._account(provider).log.poll_ok()

    def record_poll_failed(self, provider: Provider, error: FramegateError) -> None:
        """Record that a poll failed."""
        self._account(provider).log.poll_failed(error)
