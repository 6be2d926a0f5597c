"""API keys: scopes, budgets, and the caller that a key stands for."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

from framegate.domain.errors import InvalidRequest
from framegate.domain.requests import Problem

DEFAULT_OWNER = "default"  # of an open gateway, and of the operator's own key
REQUESTS_PER_MINUTE_MAX = 1_000_000
BUDGET_MICRO_USD_MAX = 10**15  # a billion dollars
NAME_CHARS_MAX = 100
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Scope(StrEnum):
    """What a key may be used for."""

    CREATE = "create"  # create, cancel and delete jobs; upload
    READ = "read"  # get jobs and their files
    ADMIN = "admin"  # manage keys, and the jobs and money of all owners


class BudgetPeriod(StrEnum):
    """Period of a key's budget; days and months are in UTC."""

    TOTAL = "total"
    MONTH = "month"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key. Its text is not stored, only its hash."""

    id: str
    owner: str
    name: str
    sha256: str
    scopes: tuple[Scope, ...]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None  # to the minute
    requests_per_minute: int | None = None  # None: no limit
    budget_micro_usd: int | None = None  # None: no limit
    budget_period: BudgetPeriod | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The caller of a request; `key_id` is None on an open gateway and for the operator's key."""

    owner: str
    scopes: frozenset[Scope]
    key_id: str | None = None
    via: tuple[str, ...] = ()  # ids of the gateways that the request came through


OPERATOR = Caller(owner=DEFAULT_OWNER, scopes=frozenset(Scope))


def new_key(
    *,
    now: float,
    owner: str = DEFAULT_OWNER,
    name: str = "",
    scopes: tuple[Scope, ...] = (Scope.CREATE, Scope.READ),
    expires_at: float | None = None,
    requests_per_minute: int | None = None,
    budget_micro_usd: int | None = None,
    budget_period: BudgetPeriod | None = None,
) -> tuple[str, Key]:
    """Return the text of a new key, which is not stored, and the key. Raises `InvalidRequest`."""
    if not _OWNER.fullmatch(owner):
        rule = (
            "An owner has 1 to 64 letters, digits, dots, dashes, underscores or @, and starts with a letter or digit."
        )
        raise InvalidRequest([Problem(code="owner_invalid", pointer="/owner", message=rule)])
    if len(name) > NAME_CHARS_MAX:
        rule = "A key's name has at most 100 characters."
        raise InvalidRequest([Problem(code="name_too_long", pointer="/name", message=rule)])
    if requests_per_minute is not None and not 1 <= requests_per_minute <= REQUESTS_PER_MINUTE_MAX:
        rule = f"A rate limit is 1 to {REQUESTS_PER_MINUTE_MAX:,} requests per minute."
        raise InvalidRequest([Problem(code="rate_invalid", pointer="/requests_per_minute", message=rule)])
    check_budget(budget_micro_usd, budget_period)
    key_id = "".join(secrets.choice(_ID_LETTERS) for _ in range(12))
    text = f"fg_{key_id}_{secrets.token_urlsafe(32)}"
    key = Key(
        id=key_id,
        owner=owner,
        name=name,
        sha256=hash_key(text),
        scopes=tuple(dict.fromkeys(scopes)),
        created_at=now,
        expires_at=expires_at,
        requests_per_minute=requests_per_minute,
        budget_micro_usd=budget_micro_usd,
        budget_period=None if budget_micro_usd is None else budget_period or BudgetPeriod.TOTAL,
    )
    return text, key


def key_record(key: Key, *, now: float) -> dict[str, object]:
    """Return a key as JSON, without its hash; times are Unix seconds."""
    times = {name: getattr(key, name) for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
    is_expired = key.expires_at is not None and now >= key.expires_at
    return {
        "id": key.id,
        "owner": key.owner,
        "name": key.name,
        "scopes": list(key.scopes),
        **{name: None if at is None else int(at) for name, at in times.items()},
        "requests_per_minute": key.requests_per_minute,
        "budget_micro_usd": key.budget_micro_usd,
        "budget_period": key.budget_period,
        "state": "revoked" if key.revoked_at is not None else "expired" if is_expired else "works",
    }


def check_budget(micro_usd: int | None, period: BudgetPeriod | None) -> None:
    """Validate a budget. Raises `InvalidRequest`."""
    if micro_usd is None and period is not None:
        rule = "A budget period needs a budget. Set the budget, or omit the period."
        raise InvalidRequest([Problem(code="budget_missing", pointer="/budget_period", message=rule)])
    if micro_usd is not None and not 0 <= micro_usd <= BUDGET_MICRO_USD_MAX:
        rule = "A budget is $0 to $1,000,000,000."
        raise InvalidRequest([Problem(code="budget_invalid", pointer="/budget", message=rule)])


def operator_credential(operator_key: str | None) -> str:
    """Return what stands for the operator's key in signed URLs and tokens; empty for a gateway without one."""
    return f"operator-{hash_key(operator_key)[:16]}" if operator_key else ""


def hash_key(text: str) -> str:
    """Return the SHA-256 of a key's text. A key has 256 random bits, so one round is enough."""
    return hashlib.sha256(text.encode()).hexdigest()
