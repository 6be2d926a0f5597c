"""Who is calling, by the key that they send: over a real store, on a clock that the test sets."""

from collections.abc import AsyncIterator

import pytest

from framegate.api.auth import CACHE_SECONDS, Authenticator
from framegate.domain import Scope
from framegate.domain.errors import Busy, Forbidden, InvalidRequest, Unauthorized
from framegate.domain.keys import OPERATOR, new_key
from framegate.store import Store
from framegate.store.engine import sqlite_url
from support.fixed_clock import FixedClock

pytestmark = pytest.mark.anyio
READ, CREATE = Scope.READ, Scope.CREATE


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Door:
    """A store, and the one who stands before it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = FixedClock(1000.0)
        self.keys = self.guarded(None)

    def guarded(self, operator_key: str | None) -> Authenticator:
        return Authenticator(self.store.keys, operator_key=operator_key, clock=self.clock)

    async def make(self, **fields) -> str:
        text, key = new_key(now=self.clock.at, **fields)
        await self.store.keys.add(key)
        return text


@pytest.fixture
async def door(tmp_path) -> AsyncIterator[Door]:
    async with Store(sqlite_url(tmp_path)) as store:
        yield Door(store)


async def test_a_gateway_without_a_key_is_open_until_one_is_made(door):
    assert await door.keys.authenticate(None, CREATE) == OPERATOR
    text = await door.make(owner="acme")
    door.clock.at += CACHE_SECONDS + 1

    with pytest.raises(Unauthorized):
        await door.keys.authenticate(None, READ)
    assert (await door.keys.authenticate(text, READ)).owner == "acme"
    assert door.keys.needs_key


async def test_a_gateway_stays_closed_when_its_last_key_is_revoked(door):
    text = await door.make()
    await door.store.keys.revoke(text.split("_")[1], now=door.clock.at)

    with pytest.raises(Unauthorized) as caught:
        await door.guarded(None).authenticate(text, READ)
    assert caught.value.code == "key_revoked"
    with pytest.raises(Unauthorized):
        await door.guarded(None).authenticate(None, READ)


async def test_the_operators_key_works_beside_made_ones_and_belongs_to_the_default_owner(door):
    keys = door.guarded("sk-operator")
    text = await door.make(owner="acme")

    assert (await keys.authenticate("sk-operator", CREATE)).owner == "default"
    assert (await keys.authenticate(text, CREATE)).owner == "acme"


async def test_a_made_key_that_is_also_the_operators_keeps_its_own_owner(door):
    text = await door.make(owner="acme")

    assert (await door.guarded(text).authenticate(text, CREATE)).owner == "acme"


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "x", lambda t: t.upper(), lambda t: "fg_x_y", str.title]
)
async def test_no_other_text_than_the_keys_own_is_taken(door, change):
    text = await door.make()

    with pytest.raises(Unauthorized):
        await door.keys.authenticate(change(text), READ)


@pytest.mark.parametrize("text", ["", " ", "\0", "é" * 500, "fg_" + "a" * 12 + "_" + "b" * 43, "id:secret"])
async def test_any_text_is_answered_as_no_key(door, text):
    await door.make()

    with pytest.raises(Unauthorized):
        await door.keys.authenticate(text, READ)
    with pytest.raises(Unauthorized):
        await door.guarded("sk-operator").authenticate(text, READ)


@pytest.mark.parametrize("seconds", [CACHE_SECONDS + 0.1, -3600.0], ids=["in time", "with its clock put back"])
async def test_a_key_that_was_revoked_elsewhere_stops_working_within_the_caches_life(door, seconds):
    text = await door.make()
    await door.keys.authenticate(text, READ)
    await door.keys.authenticate(text, READ)
    await door.store.keys.revoke(text.split("_")[1], now=door.clock.at)
    door.clock.at += seconds

    with pytest.raises(Unauthorized, match="revoked"):
        await door.keys.authenticate(text, READ)


async def test_a_key_works_until_it_expires_and_no_longer(door):
    text = await door.make(expires_at=1002.0)
    await door.keys.authenticate(text, READ)
    door.clock.at = 1002.0

    with pytest.raises(Unauthorized) as caught:
        await door.keys.authenticate(text, READ)
    assert caught.value.code == "key_expired"


async def test_a_key_does_what_its_scopes_say_and_no_more(door):
    reader, creator = await door.make(scopes=(READ,)), await door.make(scopes=(CREATE,))

    assert (await door.keys.authenticate(reader, READ)).scopes == {READ}
    assert (await door.keys.authenticate(creator, CREATE)).scopes == {CREATE}
    with pytest.raises(Forbidden, match="`create`"):
        await door.keys.authenticate(reader, CREATE)
    with pytest.raises(Forbidden, match="`read`"):
        await door.keys.authenticate(creator, READ)


async def test_a_rate_is_held_and_says_when_to_come_back(door):
    text, other = await door.make(requests_per_minute=6), await door.make(requests_per_minute=6)
    for _ in range(6):
        await door.keys.authenticate(text, READ)

    with pytest.raises(Busy) as caught:
        await door.keys.authenticate(text, READ)
    assert caught.value.retry_after == pytest.approx(10.0)
    assert "6 times a minute" in caught.value.message
    await door.keys.authenticate(other, READ)
    door.clock.at += caught.value.retry_after
    await door.keys.authenticate(text, READ)
    with pytest.raises(Busy):
        await door.keys.authenticate(text, READ)


async def test_a_rate_never_saves_up_more_than_a_minute(door):
    text = await door.make(requests_per_minute=2)
    await door.keys.authenticate(text, READ)
    door.clock.at += 3600
    for _ in range(2):
        await door.keys.authenticate(text, READ)

    with pytest.raises(Busy):
        await door.keys.authenticate(text, READ)


async def test_the_last_use_is_noted_to_the_minute(door):
    text = await door.make()
    for at in (1000.0, 1030.0, 1059.0):
        door.clock.at = at
        await door.keys.authenticate(text, READ)
        (key,) = await door.store.keys.list()
        assert key.last_used_at == 1000.0
    door.clock.at = 1061.0
    await door.keys.authenticate(text, READ)

    (key,) = await door.store.keys.list()
    assert key.last_used_at == 1061.0


async def test_the_store_keeps_a_hash_and_not_the_key(door, tmp_path):
    text = await door.make()
    await door.keys.authenticate(text, READ)

    secret = text.split("_", 2)[2].encode()
    assert len(secret) == 43
    assert all(secret not in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong",
    [
        {"owner": ""},
        {"owner": "a b"},
        {"owner": "x" * 65},
        {"owner": "../x"},
        {"name": "n" * 101},
        {"requests_per_minute": 0},
        {"requests_per_minute": 1_000_001},
    ],
)
def test_what_no_key_can_have_is_refused(wrong):
    with pytest.raises(InvalidRequest):
        new_key(now=0, **wrong)


def test_no_two_keys_are_alike():
    assert len({new_key(now=0)[0] for _ in range(1000)}) == 1000
