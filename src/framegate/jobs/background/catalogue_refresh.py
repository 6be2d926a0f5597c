"""Keeps the catalogue as the services list their models: at the start, then every six hours, in the background.

Servers of one's own are asked too, by `Servers`: what they serve says who is ordered from, and changes no catalogue.
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.to_thread

from framegate.catalogue import Catalogue
from framegate.catalogue.listing import BadList, Listing, Record, applied, records
from framegate.domain.clock import Clock
from framegate.domain.errors import FramegateError
from framegate.jobs.background.server_discovery import ServerDiscovery
from framegate.jobs.routing import Router
from framegate.providers.base import Provider, ProviderRegistry

_log = logging.getLogger(__name__)

REFRESH_SECONDS = 6 * 3600.0
FILE_BYTES_MAX = 32 * 2**20


@dataclass(frozen=True, slots=True)
class _Kept:
    """The list of one account's service, as it was last read."""

    url: str
    read: str
    records: Mapping[str, Record]


class CatalogueRefresher:
    """Asks every account's service for its list, and lays what it says over the table.

    A list that cannot be had or read leaves the last good one, which `folder` keeps over restarts.
    """

    def __init__(self, router: Router, offers: ProviderRegistry, folder: Path, *, clock: Clock) -> None:
        self._router = router
        self._table: Catalogue = router.catalogue
        self._accounts = [provider for provider in offers if provider.model_list_url is not None]
        self._servers = ServerDiscovery(offers, router.catalogue, clock=clock)
        self._folder = folder
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up the lists of the last run at once, and read them anew in the background."""
        await self._servers.start()
        if not self._accounts:
            return
        for account in self._accounts:
            kept = await anyio.to_thread.run_sync(self._read, account)
            if kept is not None:
                self._kept[account.name, account.account] = kept
        self._apply()
        self._task = asyncio.create_task(self._run(), name="framegate-refresher")

    async def stop(self) -> None:
        """Stop reading."""
        await self._servers.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def refresh(self) -> None:
        """Read every list now."""
        for account in self._accounts:
            await self._ask(account)
        self._apply()

    async def _run(self) -> None:
        while True:
            await self.refresh()
            await self._clock.sleep(REFRESH_SECONDS)

    async def _ask(self, account: Provider) -> None:
        try:
            data = await account.models()
            found = records(data, account.name, self._table)
        except (FramegateError, BadList) as error:
            _log.warning("The list of models at %s stays as it was: %s", account.name, error)
            return
        read = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m")
        kept = _Kept(account.model_list_url or "", read, found)
        self._kept[account.name, account.account] = kept
        try:
            await anyio.to_thread.run_sync(self._write, account, kept)
        except OSError as error:
            _log.warning("The list of models at %s could not be kept: %s", account.name, error)

    def _apply(self) -> None:
        """Put the catalogue in place that all lists together make: at once, for whoever asks next."""
        by_provider: defaultdict[str, list[_Kept | None]] = defaultdict(list)
        for account in self._accounts:
            by_provider[account.name].append(self._kept.get((account.name, account.account)))
        listings = [_together(name, lists) for name, lists in by_provider.items() if any(lists)]
        self._router.catalogue = applied(self._table, listings)

    # -- on disk

    def _file(self, account: Provider) -> Path:
        return self._folder / f"{account.name}-{account.account}.json"

    def _read(self, account: Provider) -> _Kept | None:
        file = self._file(account)
        try:
            if file.stat().st_size > FILE_BYTES_MAX:
                return None
            told: Any = json.loads(file.read_bytes())
            if not isinstance(told, dict):
                return None
            row = cast("dict[str, Any]", told)
            if row.get("url") != account.model_list_url:  # of another service, to which the account pointed then
                return None
            return _Kept(str(row["url"]), str(row.get("read")), records(row.get("data"), account.name, self._table))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("The kept list of models at %s cannot be read, so the table holds: %s", account.name, error)
            return None

    def _write(self, account: Provider, kept: _Kept) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._file(account)
        new = file.with_suffix(".new")
        told = {"url": kept.url, "read": kept.read, "data": list(kept.records.values())}
        new.write_text(json.dumps(told), encoding="utf-8")
        new.replace(file)


def _together(provider: str, lists: list[_Kept | None]) -> Listing:
    """The lists of all accounts at one provider: the first that has a model tells of it, and none ends what one has.

    While a list is missing nothing ends.
    """
    known = [one for one in lists if one is not None]
    merged = {name: row for one in reversed(known) for name, row in one.records.items()}
    return Listing(
        provider=provider, url=known[0].url, read=known[0].read, records=merged, whole=len(known) == len(lists)
    )
