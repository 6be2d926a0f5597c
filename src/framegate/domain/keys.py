"""Who may call, and for how much."""

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a key may be used for."""

    CREATE = "create"  # place, cancel and delete jobs; upload
    READ = "read"  # look at jobs and fetch their files
    ADMIN = "admin"  # manage keys


class BudgetPeriod(StrEnum):
    """How long a key's budget has to last; days and months are those of UTC."""

    TOTAL = "total"
    MONTH = "month"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key that clients send; its text is kept nowhere, only the text's hash."""

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
