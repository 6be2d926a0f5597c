"""Headers and query parameters of fal's clients: start timeout, priority, file lifecycle, idempotency key, webhook."""

from collections.abc import Mapping
from typing import Any, NoReturn, cast

from starlette.datastructures import Headers

from framegate.api.dialects.fal.errors import Detail, Unprocessable
from framegate.api.http.body import parse_json
from framegate.api.http.callbacks import callback_problem
from framegate.api.http.idempotency import KEY_RULE, is_valid_key
from framegate.config.settings import Settings
from framegate.domain import JobPolicy
from framegate.domain.errors import InvalidRequest, TooLarge

START_TIMEOUT = "x-fal-request-start-timeout"
OLD_START_TIMEOUT = "x-fal-request-timeout"
PRIORITY = "x-fal-queue-priority"
NO_RETRY = "x-fal-no-retry"
LIFECYCLE = ("x-fal-object-lifecycle-preference", "x-fal-object-lifecycle")
IDEMPOTENCY = "idempotency-key"
START_SECONDS_MIN = 0.1
START_SECONDS_MAX = 7 * 24 * 3600
RETAIN_SECONDS_MAX = 10 * 365 * 24 * 3600
YES = ("1", "true", "yes")


def policy_of(headers: Headers) -> JobPolicy:
    """Return the job policy that the headers ask for. Raises `Unprocessable`."""
    priority = headers.get(PRIORITY, "normal").strip().lower()
    if priority not in ("normal", "low"):
        _fail(PRIORITY, "must be `normal` or `low`")
    retain_seconds, private = lifecycle_of(headers)
    return JobPolicy(
        start_seconds=_start_seconds(headers),
        low_priority=priority == "low",
        retry=headers.get(NO_RETRY, "").strip().lower() not in YES,
        retain_seconds=retain_seconds,
        private=private,
    )


def _start_seconds(headers: Headers) -> float | None:
    name = START_TIMEOUT if START_TIMEOUT in headers else OLD_START_TIMEOUT
    if name not in headers:
        return None
    try:
        seconds = float(headers[name])
    except ValueError:
        seconds = 0.0
    if not START_SECONDS_MIN < seconds <= START_SECONDS_MAX:  # also rejects NaN
        _fail(name, f"must be a number of seconds above {START_SECONDS_MIN}, and at most {START_SECONDS_MAX}")
    return seconds


def lifecycle_of(headers: Headers) -> tuple[int | None, bool]:
    """Return for how many seconds files are served (None: no limit), and whether they need the key."""
    name = next((name for name in LIFECYCLE if name in headers), None)
    if name is None:
        return None, False
    try:
        value = parse_json(headers[name].encode("latin-1"))
    except (InvalidRequest, TooLarge):
        value = ""
    if value is None:
        return None, False
    if not isinstance(value, dict):
        _fail(name, 'must be JSON such as {"expiration_duration_seconds": 3600}')
    preference = cast("dict[str, Any]", value)
    seconds = preference.get("expiration_duration_seconds")
    if seconds is not None and not (_is_integer(seconds) and 1 <= seconds <= RETAIN_SECONDS_MAX):
        _fail(name, f"must have an integer from 1 to {RETAIN_SECONDS_MAX} as `expiration_duration_seconds`")
    return seconds, _is_private(name, preference.get("initial_acl"))


def _is_private(name: str, acl: object) -> bool:
    if acl is None:
        return False
    rules: Mapping[str, Any] = cast("dict[str, Any]", acl) if isinstance(acl, dict) else {"default": acl}
    if rules.get("rules"):
        _fail(name, "has `initial_acl.rules`, which name users of fal, unknown to this gateway. Remove them")
    if rules.get("default", "allow") not in ("allow", "forbid", "hide"):
        _fail(name, "must have `allow`, `forbid` or `hide` as `initial_acl.default`")
    return rules.get("default", "allow") != "allow"


def idempotency_key_of(headers: Headers) -> str | None:
    """Return the `Idempotency-Key`, if there is one. Raises `Unprocessable`."""
    key = headers.get(IDEMPOTENCY)
    if key is not None and not is_valid_key(key):
        _fail("Idempotency-Key", KEY_RULE)
    return key


def webhook_of(url: str | None, settings: Settings) -> str | None:
    """Return the URL in `fal_webhook`, if there is one. Raises `Unprocessable`."""
    if not url:
        return None
    problem = callback_problem(url, settings, field="fal_webhook")
    if problem is not None:
        detail = Detail(loc=("query", "fal_webhook"), msg=problem.message, type="value_error", input=url)
        raise Unprocessable([detail])
    return url


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _fail(name: str, rule: str) -> NoReturn:
    detail = Detail(loc=("header", name), msg=f"The header `{name}` {rule}.", type="value_error")
    raise Unprocessable([detail])
