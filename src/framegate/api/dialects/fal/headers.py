"""What fal's clients say in headers and in the query: when a job must have begun, its rank, how long files are kept."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from starlette.datastructures import Headers

from framegate.api.dialects.fal.details import Detail, Unprocessable
from framegate.api.http.callbacks import callback_problem
from framegate.config.settings import Settings
from framegate.domain import JobPolicy

START_TIMEOUT = "x-fal-request-start-timeout"
OLD_START_TIMEOUT = "x-fal-request-timeout"
PRIORITY = "x-fal-queue-priority"
NO_RETRY = "x-fal-no-retry"
LIFECYCLE = ("x-fal-object-lifecycle-preference", "x-fal-object-lifecycle")
IDEMPOTENCY = "idempotency-key"
START_SECONDS_MIN = 0.1
START_SECONDS_MAX = 7 * 24 * 3600
KEEP_SECONDS_MAX = 10 * 365 * 24 * 3600
KEY_CHARS_MAX = 255
YES = ("1", "true", "yes")


def handling_of(headers: Headers) -> JobPolicy:
    """How the gate is to treat the job. Raises `Unprocessable` for a header that says nothing that can be done."""
    priority = headers.get(PRIORITY, "normal").strip().lower()
    if priority not in ("normal", "low"):
        _refuse(PRIORITY, "must be `normal` or `low`")
    keep_seconds, private = lifecycle_of(headers)
    return JobPolicy(
        start_seconds=_start_seconds(headers),
        low_priority=priority == "low",
        retry=headers.get(NO_RETRY, "").strip().lower() not in YES,
        retain_seconds=keep_seconds,
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
    if not START_SECONDS_MIN < seconds <= START_SECONDS_MAX:  # NaN is in no range
        _refuse(name, f"must be a number of seconds above {START_SECONDS_MIN}, and at most {START_SECONDS_MAX}")
    return seconds


def lifecycle_of(headers: Headers) -> tuple[int | None, bool]:
    """For how many seconds files are handed out (None: as long as they are kept), and whether only with the key."""
    name = next((name for name in LIFECYCLE if name in headers), None)
    if name is None:
        return None, False
    try:
        said = json.loads(headers[name])
    except ValueError:
        said = ""
    if said is None:
        return None, False
    if not isinstance(said, dict):
        _refuse(name, 'must be JSON such as {"expiration_duration_seconds": 3600}')
    wanted = cast("dict[str, Any]", said)
    seconds = wanted.get("expiration_duration_seconds")
    if seconds is not None and not (_whole(seconds) and 1 <= seconds <= KEEP_SECONDS_MAX):
        _refuse(name, f"must have a whole number, 1 to {KEEP_SECONDS_MAX}, as `expiration_duration_seconds`")
    return seconds, _private(name, wanted.get("initial_acl"))


def _private(name: str, acl: object) -> bool:
    if acl is None:
        return False
    said: Mapping[str, Any] = cast("dict[str, Any]", acl) if isinstance(acl, dict) else {"default": acl}
    if said.get("rules"):
        _refuse(name, "has `initial_acl.rules`: they name users of fal, whom this gate does not know. Leave them out")
    if said.get("default", "allow") not in ("allow", "forbid", "hide"):
        _refuse(name, "must have `allow`, `forbid` or `hide` as `initial_acl.default`")
    return said.get("default", "allow") != "allow"


def idempotency_key_of(headers: Headers) -> str | None:
    """The `Idempotency-Key`, if one was sent. Raises `Unprocessable`."""
    key = headers.get(IDEMPOTENCY)
    if key is not None and not (key.strip() and len(key) <= KEY_CHARS_MAX and key.isascii() and key.isprintable()):
        _refuse("Idempotency-Key", f"must be 1 to {KEY_CHARS_MAX} printable ASCII characters")
    return key


def webhook_of(url: str | None, settings: Settings) -> str | None:
    """The address of `fal_webhook`, if one was sent. Raises `Unprocessable`."""
    if not url:
        return None
    problem = callback_problem(url, settings, field="fal_webhook")
    if problem is not None:
        detail = Detail(loc=("query", "fal_webhook"), msg=problem.message, type="value_error", input=url)
        raise Unprocessable([detail])
    return url


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _refuse(name: str, rule: str) -> NoReturn:
    detail = Detail(loc=("header", name), msg=f"The header `{name}` {rule}.", type="value_error")
    raise Unprocessable([detail])
