"""The catalogue follows what services list, and what was last known good outlives a service that is away."""

import asyncio
import json
from pathlib import Path

import pytest

from framegate import catalogue
from framegate.domain import Request
from framegate.domain.errors import ProviderError
from framegate.jobs.background.catalogue_refresh import PERIOD_SECONDS, CatalogueRefresher
from framegate.jobs.routing import Router
from framegate.providers.registry import ProviderRegistry
from support.paths import OPENROUTER_MODELS
from support.virtual_machine import VirtualMachine
from support.world import ScriptedProvider

pytestmark = pytest.mark.anyio
LIST = json.loads(OPENROUTER_MODELS.read_text("utf-8"))
WAN = "alibaba/wan-2.7"


class Listing(ScriptedProvider):
    """An account whose service lists what it is told to; an exception is raised, and the last entry repeated."""

    name = "openrouter"

    def __init__(self, *lists, account="a", url="https://one.test/v1/videos/models") -> None:
        super().__init__(Path("film.mp4"), account=account)
        self.lists, self.model_list_url = list(lists), url
        self.asked = asyncio.Event()

    async def models(self):
        answer = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        self.asked.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


def listed(*, without=(), **fields):
    return [{**row, **fields} if row["id"] == WAN else row for row in LIST if row["id"] not in without]


def refreshing(tmp_path, *accounts):
    offers = ProviderRegistry(accounts)
    router = Router(catalogue.builtin(), offers)
    return router, CatalogueRefresher(router, offers, tmp_path / "catalogue", machine=VirtualMachine())


def codes(router, **asked):
    return [
        problem.code for problem in router.candidates(Request(model=WAN, prompt="a cat", **asked)).select()[0].problems
    ]


async def test_a_request_is_validated_by_the_list_of_the_service(tmp_path):
    router, refresher = refreshing(tmp_path, Listing(listed(supported_durations=[60])))
    assert codes(router, duration=60) == ["duration_unsupported"]
    await refresher.refresh()
    assert codes(router, duration=60) == []


async def test_a_model_that_left_the_list_is_rejected_until_it_is_listed_again(tmp_path):
    router, refresher = refreshing(tmp_path, Listing(listed(without=[WAN]), listed()))
    await refresher.refresh()
    [problem] = router.candidates(Request(model=WAN, prompt="a cat")).select()[0].problems
    assert problem.code == "model_ended"
    assert problem.nearest.startswith("alibaba/")
    await refresher.refresh()
    assert codes(router) == []


@pytest.mark.parametrize("answer", [ProviderError("away"), None, [], {"error": 1}, LIST[:2]])
async def test_a_failed_refresh_keeps_the_last_good_list(tmp_path, answer):
    router, refresher = refreshing(tmp_path, Listing(listed(supported_durations=[60]), answer))
    for _ in range(2):
        await refresher.refresh()
        assert codes(router, duration=60) == []


async def test_the_last_good_list_survives_a_restart(tmp_path):
    _, refresher = refreshing(tmp_path, Listing(listed(supported_durations=[60])))
    await refresher.refresh()
    away = Listing(ProviderError("away"))
    router, again = refreshing(tmp_path, away)
    await again.start()
    assert codes(router, duration=60) == []
    async with asyncio.timeout(10):
        await away.asked.wait()
    await again.stop()
    assert codes(router, duration=60) == []


@pytest.mark.parametrize("spoil", [b"", b"{", b"[]", b'{"url": "https://one.test/v1/videos/models", "data": 1}'])
async def test_an_unreadable_saved_list_is_ignored(tmp_path, spoil):
    _, refresher = refreshing(tmp_path, Listing(listed()))
    await refresher.refresh()
    [file] = (tmp_path / "catalogue").iterdir()
    file.write_bytes(spoil)
    router, again = refreshing(tmp_path, Listing(ProviderError("away")))
    await again.start()
    await again.stop()
    assert codes(router) == []


async def test_a_saved_list_of_another_service_is_ignored(tmp_path):
    _, refresher = refreshing(tmp_path, Listing(listed(supported_durations=[60])))
    await refresher.refresh()
    router, again = refreshing(tmp_path, Listing(ProviderError("away"), url="https://other.test/v1/videos/models"))
    await again.start()
    await again.stop()
    assert codes(router, duration=60) == ["duration_unsupported"]


async def test_a_model_that_one_of_two_accounts_lists_is_not_retired(tmp_path):
    full, less = Listing(listed()), Listing(listed(without=[WAN]), account="b")
    router, refresher = refreshing(tmp_path, full, less)
    await refresher.refresh()
    assert codes(router) == []


async def test_no_model_is_retired_while_a_list_is_missing(tmp_path):
    router, refresher = refreshing(
        tmp_path, Listing(listed(without=[WAN])), Listing(ProviderError("away"), account="b")
    )
    await refresher.refresh()
    assert codes(router) == []


async def test_the_start_does_not_wait_for_a_list_and_the_list_is_refreshed_periodically(tmp_path):
    held = asyncio.Event()

    class Slow(Listing):
        async def models(self):
            await held.wait()
            return await super().models()

    account = Slow(listed(supported_durations=[60]), listed(supported_durations=[61]))
    router, refresher = refreshing(tmp_path, account)
    waits: list[float] = []
    again = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            again.set()
            await asyncio.Event().wait()

    refresher._machine.sleep = sleep
    async with asyncio.timeout(10):
        await refresher.start()
        assert codes(router, duration=60) == ["duration_unsupported"]
        held.set()
        await again.wait()
        assert codes(router, duration=61) == []
        await refresher.stop()
    assert waits == [PERIOD_SECONDS] * 2


async def test_jobs_see_the_newest_catalogue(world):
    async with world().open(run=False) as gateway:
        new = catalogue.Catalogue(catalogue.builtin().models)
        gateway.jobs._router.catalogue = new
        assert gateway.jobs.catalogue is new
