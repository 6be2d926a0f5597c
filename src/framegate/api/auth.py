"""Keys: who is calling, whose jobs they may see, and how often they may ask."""

import hashlib
import hmac
import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass, field

from framegate.domain import BudgetPeriod, Key, Problem, Scope
from framegate.domain.clock import Clock
from framegate.domain.errors import Busy, Forbidden, InvalidRequest, Unauthorized
from framegate.store.api_keys import ApiKeyStore

DEFAULT_OWNER = "default"  # of an open gate, and of the operator's own key
CACHE_SECONDS = 5.0  # how long a key that was revoked elsewhere may still work
CACHED_KEYS_MAX = 10_000
USED_SECONDS = 60.0  # how finely the last use is told
KEY_CHARS_MAX = 200
REQUESTS_PER_MINUTE_MAX = 1_000_000
BUDGET_MICRO_USD_MAX = 10**15  # a billion dollars
_KEY = re.compile(r"fg_([a-z0-9]{12})_[A-Za-z0-9_-]{43}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is calling; `key_id` is None on an open gate and for the operator's own key."""

    owner: str
    scopes: frozenset[Scope]
    key_id: str | None = None


OPERATOR = Caller(owner=DEFAULT_OWNER, scopes=frozenset(Scope))
_calling: ContextVar[Caller | None] = ContextVar("calling", default=None)


def calling() -> Caller | None:
    """On whose behalf the running task works, as its key told; None where nobody was asked.

    The authenticator notes it, so that no dialect can place a job beside the budget of the key that it was sent.
    """
    return _calling.get()


def call_as(caller: Caller) -> Caller:
    """Note on whose behalf the running task works from here on."""
    _calling.set(caller)
    return caller


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
    """A new key, and its text, which is kept nowhere. Raises `InvalidRequest`."""
    if not _OWNER.fullmatch(owner):
        rule = "An owner's name has 1 to 64 letters, digits, dots, dashes, underscores or @, a letter or digit first."
        raise InvalidRequest([Problem(code="owner_invalid", pointer="/owner", message=rule)])
    if len(name) > 100:
        rule = "A key's name has at most 100 characters."
        raise InvalidRequest([Problem(code="name_too_long", pointer="/name", message=rule)])
    if requests_per_minute is not None and not 1 <= requests_per_minute <= REQUESTS_PER_MINUTE_MAX:
        rule = f"A rate lies between 1 and {REQUESTS_PER_MINUTE_MAX:,} requests a minute."
        raise InvalidRequest([Problem(code="rate_invalid", pointer="/requests_per_minute", message=rule)])
    check_budget(budget_micro_usd, budget_period)
    key_id = "".join(secrets.choice(_ID_LETTERS) for _ in range(12))
    text = f"fg_{key_id}_{secrets.token_urlsafe(32)}"
    key = Key(
        id=key_id,
        owner=owner,
        name=name,
        sha256=_hash(text),
        scopes=tuple(dict.fromkeys(scopes)),
        created_at=now,
        expires_at=expires_at,
        requests_per_minute=requests_per_minute,
        budget_micro_usd=budget_micro_usd,
        budget_period=None if budget_micro_usd is None else budget_period or BudgetPeriod.TOTAL,
    )
    return text, key


def check_budget(micro_usd: int | None, period: BudgetPeriod | None) -> None:
    """Hold a budget to its limits. Raises `InvalidRequest`."""
    if micro_usd is None and period is not None:
        rule = "A budget's period goes with a budget. Say how much, or leave the period out."
        raise InvalidRequest([Problem(code="budget_missing", pointer="/budget_period", message=rule)])
    if micro_usd is not None and not 0 <= micro_usd <= BUDGET_MICRO_USD_MAX:
        rule = "A budget lies between $0 and $1,000,000,000."
        raise InvalidRequest([Problem(code="budget_invalid", pointer="/budget", message=rule)])


def _hash(text: str) -> str:
    """A key has 256 random bits, so one round of SHA-256 is as good as many."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class _Bucket:
    """A minute's requests, refilled as time passes."""

    tokens: float
    at: float

    def take(self, per_minute: int, now: float) -> float:
        """Take one; say how many seconds too early that was, 0 where it was not."""
        passed = max(0.0, now - self.at)
        self.tokens, self.at = min(float(per_minute), self.tokens + passed * per_minute / 60), now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) * 60 / per_minute


@dataclass(slots=True)
class _Cache:
    keys: dict[str, tuple[Key, float]] = field(default_factory=dict[str, tuple[Key, float]])
    buckets: dict[str, _Bucket] = field(default_factory=dict[str, _Bucket])
    needed: bool = False
    needed_at: float = -1e9


class Authenticator:
    """Tells who is calling by the key that they send.

    A gate is open as long as nobody ever made a key and the operator set none. Rates are counted in this process.
    """

    def __init__(self, keyring: ApiKeyStore, *, operator_key: str | None, clock: Clock) -> None:
        self._keyring = keyring
        self._operator_key = operator_key
        self._clock = clock
        self._cache = _Cache(needed=operator_key is not None)

    @property
    def needs_key(self) -> bool:
        """Whether callers must send a key, as far as was last seen."""
        return self._cache.needed

    async def look(self) -> bool:
        """Whether callers must send a key, at most five seconds ago."""
        cache, now = self._cache, self._clock.now()
        if not cache.needed and not 0 <= now - cache.needed_at <= CACHE_SECONDS:
            cache.needed, cache.needed_at = await self._keyring.any(), now
        return cache.needed

    async def authenticate(self, text: str | None, scope: Scope) -> Caller:
        """Who is calling, if their key may be used for that; `calling` tells it from then on.

        Raises `Unauthorized`, `Forbidden` for a key without the scope, and `Busy` for one that is used too often.
        """
        return call_as(await self._authenticated(text, scope))

    async def _authenticated(self, text: str | None, scope: Scope) -> Caller:
        if not await self.look():
            return OPERATOR
        if not text:
            raise Unauthorized
        key = await self._known(text)
        if key is None:
            if self._operator_key and hmac.compare_digest(text.encode(), self._operator_key.encode()):
                return OPERATOR
            raise Unauthorized
        now = self._clock.now()
        _check_alive(key, now)
        self._meter(key, now)
        if scope not in key.scopes:
            raise Forbidden(f"This key may not {_MEANS[scope]}: it lacks the scope `{scope}`.", code="scope_missing")
        await self._note_use(key, now)
        return Caller(owner=key.owner, scopes=frozenset(key.scopes), key_id=key.id)

    async def _known(self, text: str) -> Key | None:
        match = _KEY.fullmatch(text)
        if match is None:
            return None
        now, key_id = self._clock.now(), match[1]
        key, seen_at = self._cache.keys.get(key_id, (None, 0.0))
        if key is None or not 0 <= now - seen_at <= CACHE_SECONDS:  # a clock may be put back
            key = await self._keyring.get(key_id)
            if key is None:
                return None
            if len(self._cache.keys) >= CACHED_KEYS_MAX:
                self._cache.keys.clear()
            self._cache.keys[key_id] = (key, now)
        return key if hmac.compare_digest(key.sha256, _hash(text)) else None

    def _meter(self, key: Key, now: float) -> None:
        if key.requests_per_minute is None:
            return
        bucket = self._cache.buckets.setdefault(key.id, _Bucket(float(key.requests_per_minute), now))
        wait = bucket.take(key.requests_per_minute, now)
        if wait > 0:
            raise Busy(
                f"This key may ask {key.requests_per_minute} times a minute. Nothing was done; try again in "
                f"{wait:.1f} seconds.",
                code="rate_limited",
                retry_after=wait,
            )

    async def _note_use(self, key: Key, now: float) -> None:
        if key.last_used_at is not None and now - key.last_used_at < USED_SECONDS:
            return
        await self._keyring.used(key.id, now=now)
        self._cache.keys.pop(key.id, None)


_MEANS = {
    Scope.CREATE: "place or change anything",
    Scope.READ: "look at jobs or fetch their files",
    Scope.ADMIN: "manage keys",
}


def _check_alive(key: Key, now: float) -> None:
    if key.revoked_at is not None:
        raise Unauthorized("This key was revoked. Ask the operator for a new one.", code="key_revoked")
    if key.expires_at is not None and now >= key.expires_at:
        raise Unauthorized("This key has expired. Ask the operator for a new one.", code="key_expired")
