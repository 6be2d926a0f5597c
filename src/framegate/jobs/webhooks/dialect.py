"""Outbound webhooks: what a dialect registers, and the deliveries that a change of a job makes.

Each dialect registers one `WebhookDialect`, with its events, its body and its own signature. Every webhook carries the
headers of Standard Webhooks besides.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from framegate.domain import Delivery, Job
from framegate.domain.machine import Machine
from framegate.jobs.webhooks.signing import owner_secret, standard_headers

TIMEOUT_SECONDS = 30.0
# The schedule that Standard Webhooks recommends, a little over a day in all: seconds between two attempts.
SCHEDULE_SECONDS = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """One event of a job: the job before the change (None: it was just accepted) and after it."""

    id: str  # UUIDv7
    type: str
    before: Job | None
    after: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """One attempt of a delivery: its exact bytes, and what signs them."""

    delivery: Delivery
    raw: bytes
    at: int  # Unix seconds
    attempt: int  # from 1
    attempts_max: int
    secret: str  # the tenant's, as `whsec_…`, or the job's own


def unchanged(body: Mapping[str, Any], _attempt: int, _attempts_max: int) -> Mapping[str, Any]:
    """Return the body unchanged: most dialects do not put the attempt into it."""
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDialect:
    """Webhooks of one dialect.

    `events` returns the dialect's event names for a change, in order, filtered by `Job.request.callback_events`. `body`
    is built once, when the event happens; `per_attempt_body` adds what differs per attempt. `schedule_seconds` are the
    waits between attempts: one more attempt than waits. Any 2xx counts as delivered.
    """

    dialect: str
    events: Callable[[Job | None, Job], Sequence[str]]
    body: Callable[[WebhookEvent], Mapping[str, Any]]
    headers: Callable[[DeliveryAttempt], Mapping[str, str]]
    per_attempt_body: Callable[[Mapping[str, Any], int, int], Mapping[str, Any]] = unchanged
    secret_of: Callable[[Job], str | None] | None = None  # for dialects whose clients send their own secrets
    schedule_seconds: tuple[float, ...] = SCHEDULE_SECONDS
    timeout_seconds: float = TIMEOUT_SECONDS

    @property
    def attempts_max(self) -> int:
        """Number of attempts before a delivery fails."""
        return len(self.schedule_seconds) + 1


def ended(before: Job | None, after: Job) -> bool:
    """Whether this change ended the job; true for at most one change of a job."""
    return after.state.is_final and not (before is not None and before.state.is_final)


class WebhookDialects:
    """The webhook dialects of a gateway, and the secret that signs."""

    def __init__(self, dialects: Iterable[WebhookDialect] = (), *, machine: Machine, master: bytes = b"") -> None:
        self._dialects = {dialect.dialect: dialect for dialect in dialects}
        self._machine = machine
        self._master = master

    def get(self, dialect: str) -> WebhookDialect | None:
        """Return the webhooks of a dialect, if it has any."""
        return self._dialects.get(dialect)

    def secret(self, owner: str) -> str:
        """Return the secret with which a tenant verifies webhooks."""
        return owner_secret(self._master, owner)

    def deliveries(self, before: Job | None, after: Job) -> tuple[Delivery, ...]:
        """Return the deliveries of a change, to be written in the same transaction."""
        dialect, url = self._dialects.get(after.dialect), after.request.callback_url
        if dialect is None or not url:
            return ()
        return tuple(self._delivery(dialect, url, kind, before, after) for kind in dialect.events(before, after))

    def signed_request(
        self, delivery: Delivery, dialect: WebhookDialect, *, at: int, job: Job | None = None
    ) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers of the next attempt. `job` may have a secret of its own."""
        attempt = delivery.attempts - delivery.attempts_at_replay + 1
        body = dialect.per_attempt_body(json.loads(delivery.body), attempt, dialect.attempts_max)
        raw = _json(body).encode()
        secret = self.secret(delivery.owner)
        own_secret = dialect.secret_of(job) if dialect.secret_of and job else None
        signed = DeliveryAttempt(
            delivery=delivery,
            raw=raw,
            at=at,
            attempt=attempt,
            attempts_max=dialect.attempts_max,
            secret=own_secret or secret,
        )
        headers = {"content-type": "application/json", "user-agent": "Framegate-Webhook/1.0"}
        return raw, {**headers, **dialect.headers(signed), **standard_headers(delivery.id, at, raw, secret)}

    def _delivery(self, dialect: WebhookDialect, url: str, kind: str, before: Job | None, after: Job) -> Delivery:
        event = WebhookEvent(id=self._machine.uuid7(), type=kind, before=before, after=after)
        return Delivery(
            id=event.id,
            job_id=after.id,
            owner=after.owner,
            dialect=after.dialect,
            url=url,
            type=kind,
            seq=after.version,
            body=_json(dialect.body(event)),
            created_at=after.updated_at,
            due_at=after.updated_at,
        )


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
