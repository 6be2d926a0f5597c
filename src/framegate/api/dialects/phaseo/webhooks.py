"""Phaseo's webhooks: subscription, events, body and signature."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from framegate.api.dialects.phaseo.responses import DIALECT, percent, public_status, show
from framegate.api.http.callbacks import callback_problem
from framegate.api.http.signed_urls import UrlSigner
from framegate.api.http.validation import Body, Url, Word
from framegate.config.accounts import WebhookEndpoint
from framegate.config.settings import Settings, SettingsInvalid
from framegate.domain import Job, Problem
from framegate.jobs.webhooks.dialect import DeliveryAttempt, WebhookDialect, WebhookEvent, ended

PHASES = ("created", "status_changed", "progress", "completed", "failed", "cancelled", "expired")
DEFAULT_PHASES = ("status_changed", "completed", "failed", "cancelled", "expired")
FAMILIES = ("job", "video", "batch")  # an endpoint may receive events of batches too
SCHEDULE_SECONDS = (60.0, 300.0, 900.0)
TIMEOUT_SECONDS = 30.0
PROGRESS_STEP_PERCENT = 10
EventName = Annotated[str, Field(max_length=64)]


# -- subscription


class Webhook(Body):
    """Webhook of a job: a configured endpoint, or a URL with an optional secret."""

    endpoint_id: Word | None = None
    url: Url | None = None
    secret: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    events: Annotated[list[EventName], Field(max_length=32)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """URL and events of a job's webhook; `state` is stored with the job."""

    url: str
    events: tuple[str, ...]
    state: Mapping[str, Any] = field(default_factory=dict[str, Any])


def subscribe(webhook: Webhook | None, settings: Settings, problems: list[Problem]) -> Subscription | None:
    """Return the subscription of a body; add what is wrong with it to `problems`."""
    if webhook is None:
        return None
    if (webhook.endpoint_id is None) == (webhook.url is None):
        message = "`webhook` must have either `endpoint_id` or `url`."
        problems.append(Problem(code="webhook_target", pointer="/webhook", message=message))
        return None
    endpoint = _endpoint(webhook, settings, problems)
    events = _phases(webhook.events, problems) or (endpoint and _phases(endpoint.events, problems)) or DEFAULT_PHASES
    if webhook.url is not None and (problem := callback_problem(webhook.url, settings, field="webhook.url")):
        problems.append(problem)
    url = endpoint.url if endpoint else webhook.url or ""
    state = {"webhook_secret": webhook.secret, "webhook_endpoint": webhook.endpoint_id}
    return Subscription(url=url, events=events, state={name: value for name, value in state.items() if value})


def _endpoint(webhook: Webhook, settings: Settings, problems: list[Problem]) -> WebhookEndpoint | None:
    if webhook.endpoint_id is None:
        return None
    endpoints = {endpoint.id: endpoint for endpoint in settings.webhook_endpoints}
    if webhook.endpoint_id not in endpoints:
        message = (
            f"`webhook.endpoint_id`: endpoint {webhook.endpoint_id[:64]!r} not found. The operator adds endpoints to "
            "`webhook_endpoints` in framegate.toml; or send `webhook.url`."
        )
        allowed = list(endpoints) or None
        problems.append(
            Problem(code="webhook_unknown", pointer="/webhook/endpoint_id", message=message, allowed=allowed)
        )
    if webhook.secret is not None:
        message = "`webhook.secret` is only allowed with `webhook.url`; an endpoint has its own secret."
        problems.append(Problem(code="webhook_target", pointer="/webhook/secret", message=message))
    return endpoints.get(webhook.endpoint_id)


def _phases(events: Sequence[str] | None, problems: list[Problem]) -> tuple[str, ...]:
    phases: dict[str, None] = {}
    for index, event in enumerate(events or ()):
        family, _, phase = event.rpartition(".")
        if phase not in PHASES or (family and family not in FAMILIES):
            message = (
                f"`webhook.events`: unknown event {event[:64]!r}. Valid events are `job.` or `video.` with one of "
                f"{', '.join(PHASES)}."
            )
            problems.append(Problem(code="event_unknown", pointer=f"/webhook/events/{index}", message=message))
        elif family != "batch":
            phases[phase] = None
    if events is not None and not phases and not any(problem.code == "event_unknown" for problem in problems):
        message = "`webhook.events` has no event of a video. Remove it to get the default events."
        problems.append(Problem(code="event_missing", pointer="/webhook/events", message=message))
    return tuple(phases)


# -- delivery


def webhook_dialect(signer: UrlSigner, settings: Settings) -> WebhookDialect:
    """Return Phaseo's webhooks, signed with the secret of the job or its endpoint, else with the tenant's.

    Raises `SettingsInvalid` for an endpoint with an invalid URL or event.
    """
    for endpoint in settings.webhook_endpoints:
        _check(endpoint, settings)
    secrets = {endpoint.id: endpoint.secret for endpoint in settings.webhook_endpoints}

    def body(event: WebhookEvent) -> dict[str, Any]:
        before, job = event.before, event.after
        payload: dict[str, Any] = {
            "id": event.id,
            "type": event.type,
            "created_at": int(job.updated_at),
            "data": {"kind": "video"} | show(job, base=job.base_url, signer=signer.for_key(job.key_id)),
        }
        if event.type == "video.status_changed" and before is not None:
            change = {"previous_status": public_status(before.state), "status": public_status(job.state)}
            payload["status_change"] = change
        return payload

    def secret_of(job: Job) -> str | None:
        state = job.request.dialect_state
        return state.get("webhook_secret") or secrets.get(state.get("webhook_endpoint", ""))

    return WebhookDialect(
        dialect=DIALECT,
        events=_events,
        body=body,
        headers=signature_headers,
        per_attempt_body=_with_attempt,
        secret_of=secret_of,
        schedule_seconds=SCHEDULE_SECONDS,
        timeout_seconds=TIMEOUT_SECONDS,
    )


def signature_headers(attempt: DeliveryAttempt) -> dict[str, str]:
    """Return Phaseo's signature headers: HMAC-SHA256 with the secret's text over `timestamp.body`, in hex."""
    signature = hmac.digest(attempt.secret.encode(), f"{attempt.at}.".encode() + attempt.raw, "sha256").hex()
    delivery = attempt.delivery
    return {
        "x-phaseo-timestamp": str(attempt.at),
        "x-phaseo-signature": signature,
        "x-phaseo-event-id": delivery.id,
        "x-phaseo-event-type": delivery.type,
        "x-phaseo-delivery-key": delivery.id,
        "x-phaseo-attempt": str(attempt.attempt),
        "x-phaseo-max-attempts": str(attempt.attempts_max),
        "user-agent": "Phaseo-Async-Webhook/1.0",
    }


def _check(endpoint: WebhookEndpoint, settings: Settings) -> None:
    problems: list[Problem] = []
    _phases(endpoint.events, problems)
    url_problem = callback_problem(endpoint.url, settings, field="webhook_endpoints.url")
    problems += [url_problem] if url_problem else []
    if problems:
        raise SettingsInvalid(f"Setting `webhook_endpoints`, {endpoint.id}: {problems[0].message}")


def _with_attempt(body: Mapping[str, Any], attempt: int, attempts_max: int) -> Mapping[str, Any]:
    return {**body, "delivery": {"key": body["id"], "attempt": attempt, "max_attempts": attempts_max}}


def _events(before: Job | None, after: Job) -> Sequence[str]:
    phases: list[str] = []
    if before is None:
        phases.append("created")
    elif public_status(before.state) != public_status(after.state):
        phases.append("status_changed")
    elif not after.state.is_final and (step := _progress_step(after)) is not None and step != _progress_step(before):
        phases.append("progress")
    if ended(before, after):
        phases.append(after.state.status.value)
    return [f"video.{phase}" for phase in phases if phase in after.request.callback_events]


def _progress_step(job: Job) -> int | None:
    """Return the progress to the nearest ten; None at 0 and 100, which the status reports."""
    progress = percent(job)
    if not 0 < progress < 100:
        return None
    return max(5, min(95, round(progress / PROGRESS_STEP_PERCENT) * PROGRESS_STEP_PERCENT))
