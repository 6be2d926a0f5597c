"""Authentication by API key, and the rate limit of each key."""

import hmac
import re
from dataclasses import dataclass, field

from framegate.domain import Key, Scope
from framegate.domain.errors import Busy, Forbidden, Unauthorized
from framegate.domain.keys import OPERATOR, Caller, hash_key, operator_credential
from framegate.domain.machine import Clock
from framegate.store.api_keys import ApiKeyStore

CACHE_SECONDS = 5.0  # how long a key that was revoked elsewhere may still work
CACHED_KEYS_MAX = 10_000
USED_SECONDS = 60.0  # resolution of `last_used_at`
KEY_CHARS_MAX = 200
_KEY_ID = re.compile(r"[a-z0-9]{12}")
_KEY = re.compile(r"fg_([a-z0-9]{12})_[A-Za-z0-9_-]{43}")


@dataclass(slots=True)
class _Bucket:
    """Token bucket with the requests of one minute."""

    tokens: float
    at: float

    def take(self, per_minute: int, now: float) -> float:
        """Take one token; return the seconds until there is one, 0 if there was."""
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
    """Authenticator: from the text of a key to its caller.

    A gateway is open until the first key is made or the operator sets one. Rates are counted in this process.
    """

    def __init__(self, keyring: ApiKeyStore, *, operator_key: str | None, clock: Clock) -> None:
        self._keyring = keyring
        self._operator_key = operator_key
        self._clock = clock
        self._operator_credential = operator_credential(operator_key)
        self._cache = _Cache(needed=operator_key is not None)

    @property
    def needs_key(self) -> bool:
        """Whether callers must send a key, as of the last `look`."""
        return self._cache.needed

    async def look(self) -> bool:
        """Whether callers must send a key; the answer is at most five seconds old."""
        cache, now = self._cache, self._clock.now()
        if not cache.needed and not 0 <= now - cache.needed_at <= CACHE_SECONDS:
            cache.needed, cache.needed_at = await self._keyring.any(), now
        return cache.needed

    async def authenticate(self, text: str | None, scope: Scope) -> Caller:
        """Return the caller that a key stands for, if the key has the scope.

        Raises `Unauthorized`, `Forbidden` for a key without the scope, and `Busy` above the rate of the key.
        """
        if not await self.look():
            return OPERATOR
        if not text:
            raise Unauthorized
        key = await self._known(text)
        if key is None:
            if self._operator_key and hmac.compare_digest(text.encode(), self._operator_key.encode()):
                return OPERATOR
            raise Unauthorized
        return await self._admit(key, scope)

    async def authenticate_credential(self, credential: str, scope: Scope) -> Caller:
        """Return the caller that a token stands for, which has exactly the rights, rate and life of its key.

        Raises what `authenticate` raises.
        """
        key = await self._get(credential) if _KEY_ID.fullmatch(credential) else None
        if key is not None:
            return await self._admit(key, scope)
        if not await self.is_valid(credential):
            raise Unauthorized
        return OPERATOR

    async def is_valid(self, credential: str) -> bool:
        """Whether a credential (see `credential`) still gives access; the answer is at most five seconds old."""
        if not credential:
            return not await self.look()
        if _KEY_ID.fullmatch(credential):
            key = await self._get(credential)
            return key is not None and _ended(key, self._clock.now()) is None
        return bool(self._operator_credential) and hmac.compare_digest(
            credential.encode(), self._operator_credential.encode()
        )

    def credential(self, key_id: str | None) -> str:
        """Return what signed URLs and tokens of a key carry, to end with it."""
        return key_id or self._operator_credential

    async def check(self, caller: Caller) -> None:
        """Raise `Unauthorized` if the key of a caller has ended since it was authenticated: for open streams."""
        key = await self._get(caller.key_id) if caller.key_id else None
        if key is not None and (error := _ended(key, self._clock.now())):
            raise error
        if not await self.is_valid(self.credential(caller.key_id)):
            raise Unauthorized

    async def _admit(self, key: Key, scope: Scope) -> Caller:
        now = self._clock.now()
        if error := _ended(key, now):
            raise error
        self._meter(key, now)
        if scope not in key.scopes:
            raise Forbidden(f"This key may not {_MEANS[scope]}: it lacks the scope `{scope}`.", code="scope_missing")
        await self._note_use(key, now)
        return Caller(owner=key.owner, scopes=frozenset(key.scopes), key_id=key.id)

    def forget(self, key_id: str) -> None:
        """Read a key again at its next use, because it was just changed, and whether keys are needed."""
        self._cache.keys.pop(key_id, None)
        self._cache.needed_at = -1e9

    async def _known(self, text: str) -> Key | None:
        match = _KEY.fullmatch(text)
        key = await self._get(match[1]) if match else None
        return key if key is not None and hmac.compare_digest(key.sha256, hash_key(text)) else None

    async def _get(self, key_id: str) -> Key | None:
        now = self._clock.now()
        key, seen_at = self._cache.keys.get(key_id, (None, 0.0))
        if key is None or not 0 <= now - seen_at <= CACHE_SECONDS:  # a clock may be put back
            key = await self._keyring.get(key_id)
            if key is None:
                return None
            if len(self._cache.keys) >= CACHED_KEYS_MAX:
                self._cache.keys.clear()
            self._cache.keys[key_id] = (key, now)
        return key

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
    Scope.ADMIN: "manage keys or see other owners' jobs",
}


def _ended(key: Key, now: float) -> Unauthorized | None:
    if key.revoked_at is not None:
        return Unauthorized("This key was revoked. Ask the operator for a new one.", code="key_revoked")
    if key.expires_at is not None and now >= key.expires_at:
        return Unauthorized("This key has expired. Ask the operator for a new one.", code="key_expired")
    return None
