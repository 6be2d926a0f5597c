"""Followers: each is woken by a change of its job, also of another process, by one query for all of them."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from framegate.domain.errors import Unavailable
from framegate.domain.machine import Machine
from framegate.jobs.change_feed import ChangeFeed
from framegate.store import Store
from framegate.store.notifier import JobNotifier

JOBS = 5


class Clock(Machine):
    """A machine whose sleeps end at once, until it is stopped."""

    def __init__(self, sleeps: int) -> None:
        self.left = sleeps

    async def sleep(self, seconds: float) -> None:
        if not self.left:
            await asyncio.Event().wait()
        self.left -= 1
        await asyncio.sleep(0)


class Versions:
    """The versions of jobs, as the database has them."""

    def __init__(self) -> None:
        self.notifier = JobNotifier()
        self.versions_of = {f"job-{number}": 1 for number in range(JOBS)}
        self.asked: list[tuple[str, ...]] = []
        self.fails = False

    async def versions(self, job_ids: Sequence[str]) -> dict[str, int]:
        self.asked.append(tuple(job_ids))
        if self.fails:
            self.fails = False
            raise Unavailable
        return {job_id: self.versions_of[job_id] for job_id in job_ids if job_id in self.versions_of}


def feed_of(store: Versions, sleeps: int) -> ChangeFeed:
    return ChangeFeed(cast("Store", store), Clock(sleeps))


async def woken(feed: ChangeFeed, job_id: str, version: int) -> bool:
    with feed.watch(job_id) as watch:
        watch.version = version
        return await watch.change(within=0.05)


@pytest.mark.parametrize("change", ["elsewhere", "deleted", "here"])
def test_a_follower_is_woken_by_a_change(change: str):
    async def script() -> list[bool]:
        store = Versions()
        if change == "deleted":
            del store.versions_of["job-0"]
        following = asyncio.create_task(woken(feed_of(store, 3), "job-0", 1 if change != "elsewhere" else 0))
        other = asyncio.create_task(woken(feed_of(store, 0), "job-1", 1))
        await asyncio.sleep(0)
        if change == "here":
            store.notifier.changed("job-0")
        return [await following, await other]

    assert asyncio.run(script()) == [True, False]


def test_one_query_serves_all_followers_and_none_is_made_without_one():
    async def script() -> tuple[Versions, int]:
        store, before = Versions(), len(asyncio.all_tasks())
        feed = feed_of(store, 4)
        await asyncio.gather(*(woken(feed, f"job-{number % JOBS}", 1) for number in range(100)))
        await asyncio.sleep(0)
        return store, len(asyncio.all_tasks()) - before

    store, left = asyncio.run(script())

    assert [sorted(ids) for ids in store.asked] == [sorted(store.versions_of)] * 4
    assert left == 0


def test_followers_are_woken_after_an_outage_too():
    async def script() -> bool:
        store: Any = Versions()
        store.fails = True
        return await woken(feed_of(store, 3), "job-0", 0)

    assert asyncio.run(script())
