"""Phaseo's webhooks: who asked for which events, and what each tells."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from framegate.api.dialects.phaseo.requests import Webhook
from framegate.api.dialects.phaseo.responses import DIALECT, percent, public_status, show
from framegate.api.http.callbacks import callback_problem
from framegate.api.http.signed_urls import UrlSigner
from framegate.config.accounts import WebhookEndpoint
from framegate.config.settings import Settings, SettingsInvalid
from framegate.domain import Job, Problem
from framegate.jobs.webhooks.dialect import DeliveryAttempt, WebhookDialect, WebhookEvent, ended

PHASES = ("created", "status_changed", "progress", "completed", "failed", "cancelled", "expired")
USUAL = ("status_changed", "completed", "failed", "cancelled", "expired")
FAMILIES = ("job", "video", "batch")  # a list of events may serve an endpoint that batches use too
SCHEDULE_SECONDS = (60.0, 300.0, 900.0)
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Whom a job calls, for what; `notes` is what its answers say of it."""

    url: str
    events: tuple[str, ...]
    notes: Mapping[str, Any] = field(default_factory=dict[str, Any])


def subscribed(webhook: Webhook | None, settings: Settings, problems: list[Problem]) -> Subscription | None:
    """The subscription that a body asks for; what is wrong with it goes to `problems`."""
    if webhook is None:
        return None
    if (webhook.endpoint_id is None) == (webhook.url is None):
        text = "`webhook` takes one of `endpoint_id` and `url`."
        problems.append(Problem(code="webhook_target", pointer="/webhook", message=text))
        return None
    endpoint = _endpoint(webhook, settings, problems)
    events = _phases(webhook.events, problems) or (endpoint and _phases(endpoint.events, problems)) or USUAL
    if webhook.url is not None and (problem := callback_problem(webhook.url, settings, field="webhook.url")):
        problems.append(problem)
    url = endpoint.url if endpoint else webhook.url or ""
    said = {"webhook_secret": webhook.secret, "webhook_endpoint": webhook.endpoint_id}
    return Subscription(url=url, events=events, notes={name: value for name, value in said.items() if value})


def _endpoint(webhook: Webhook, settings: Settings, problems: list[Problem]) -> WebhookEndpoint | None:
    if webhook.endpoint_id is None:
        return None
    known = {endpoint.id: endpoint for endpoint in settings.webhook_endpoints}
    if webhook.endpoint_id not in known:
        text = (
            f"`webhook.endpoint_id` names no endpoint of this gate: {webhook.endpoint_id[:64]!r}. The operator adds it "
            "to `webhook_endpoints` in framegate.toml; or send `webhook.url`."
        )
        allowed = list(known) or None
        problems.append(Problem(code="webhook_unknown", pointer="/webhook/endpoint_id", message=text, allowed=allowed))
    if webhook.secret is not None:
        text = "`webhook.secret` goes with `webhook.url`; an endpoint has its own."
        problems.append(Problem(code="webhook_target", pointer="/webhook/secret", message=text))
    return known.get(webhook.endpoint_id)


def _phases(events: Sequence[str] | None, problems: list[Problem]) -> tuple[str, ...]:
    phases: dict[str, None] = {}
    for index, event in enumerate(events or ()):
        family, _, phase = event.rpartition(".")
        if phase not in PHASES or (family and family not in FAMILIES):
            text = f"`webhook.events` takes no {event[:64]!r}. Events are job. or video. with {', '.join(PHASES)}."
            problems.append(Problem(code="event_unknown", pointer=f"/webhook/events/{index}", message=text))
        elif family != "batch":
            phases[phase] = None
    if events is not None and not phases and not any(problem.code == "event_unknown" for problem in problems):
        text = "`webhook.events` names no event of a video. Leave it out for the usual ones."
        problems.append(Problem(code="event_missing", pointer="/webhook/events", message=text))
    return tuple(phases)


def hook(links: UrlSigner, settings: Settings) -> WebhookDialect:
    """Phaseo's calls: signed with the job's or its endpoint's own secret, else with the owner's.

    Raises `SettingsInvalid` for an endpoint that could not be called, or not for what it names.
    """
    for endpoint in settings.webhook_endpoints:
        _check(endpoint, settings)
    secrets = {endpoint.id: endpoint.secret for endpoint in settings.webhook_endpoints}

    def body(happening: WebhookEvent) -> dict[str, Any]:
        before, job = happening.before, happening.after
        told: dict[str, Any] = {
            "id": happening.id,
            "type": happening.type,
            "created_at": int(job.updated_at),
            "data": {"kind": "video"} | show(job, base=job.base_url, links=links),
        }
        if happening.type == "video.status_changed" and before is not None:
            change = {"previous_status": public_status(before.state), "status": public_status(job.state)}
            told["status_change"] = change
        return told

    def secret_of(job: Job) -> str | None:
        notes = job.request.dialect_state
        return notes.get("webhook_secret") or secrets.get(notes.get("webhook_endpoint", ""))

    return WebhookDialect(
        dialect=DIALECT,
        events=_events,
        body=body,
        headers=signature_headers,
        per_attempt_body=_stamped,
        secret_of=secret_of,
        schedule_seconds=SCHEDULE_SECONDS,
        timeout_seconds=TIMEOUT_SECONDS,
    )


def signature_headers(sending: DeliveryAttempt) -> dict[str, str]:
    """Return Phaseo's signature headers: HMAC-SHA256 with the secret's text over `timestamp.body`, in hex."""
    signature = hmac.digest(sending.secret.encode(), f"{sending.at}.".encode() + sending.raw, "sha256").hex()
    delivery = sending.delivery
    return {
        "x-phaseo-timestamp": str(sending.at),
        "x-phaseo-signature": signature,
        "x-phaseo-event-id": delivery.id,
        "x-phaseo-event-type": delivery.type,
        "x-phaseo-delivery-key": delivery.id,
        "x-phaseo-attempt": str(sending.attempt),
        "x-phaseo-max-attempts": str(sending.attempts_max),
        "user-agent": "Phaseo-Async-Webhook/1.0",
    }


def _check(endpoint: WebhookEndpoint, settings: Settings) -> None:
    problems: list[Problem] = []
    _phases(endpoint.events, problems)
    wrong = callback_problem(endpoint.url, settings, field="webhook_endpoints.url")
    problems += [wrong] if wrong else []
    if problems:
        raise SettingsInvalid(f"Setting `webhook_endpoints`, {endpoint.id}: {problems[0].message}")


def _stamped(body: Mapping[str, Any], attempt: int, attempts_max: int) -> Mapping[str, Any]:
    return {**body, "delivery": {"key": body["id"], "attempt": attempt, "max_attempts": attempts_max}}


def _events(before: Job | None, after: Job) -> Sequence[str]:
    happened: list[str] = []
    if before is None:
        happened.append("created")
    elif public_status(before.state) != public_status(after.state):
        happened.append("status_changed")
    elif not after.state.is_final and (bucket := _bucket(after)) is not None and bucket != _bucket(before):
        happened.append("progress")
    if ended(before, after):
        happened.append(after.state.status.value)
    return [f"video.{phase}" for phase in happened if phase in after.request.callback_events]


def _bucket(job: Job) -> int | None:
    """The progress to the nearest ten, told once each; its ends are told by the status."""
    progress = percent(job)
    return None if not 0 < progress < 100 else max(5, min(95, round(progress / 10) * 10))
