"""Catalogue refresh: the model lists of the services, at the start and then every six hours.

GPU servers are queried too, by `ServerDiscovery`: what they serve decides who receives an order, not the catalogue.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from framegate.catalogue import Catalogue
from framegate.catalogue.listing import InvalidListing, Listing, Record, apply_listings, records_by_id
from framegate.domain.errors import FramegateError
from framegate.domain.machine import Machine
from framegate.domain.provider_text import clean_line
from framegate.jobs.background.periodic import PeriodicTask
from framegate.jobs.background.server_discovery import ServerDiscovery
from framegate.jobs.routing import Router
from framegate.providers.base import Provider
from framegate.providers.registry import ProviderRegistry
from framegate.storage.private import make_private_folder

_log = logging.getLogger(__name__)

PERIOD_SECONDS = 6 * 3600.0
FILE_BYTES_MAX = 32 * 2**20


@dataclass(frozen=True, slots=True)
class _ModelList:
    """The model list of one account's service, as it was last read."""

    url: str
    read: str
    records: Mapping[str, Record]


class CatalogueRefresher:
    """Reads the model list of every account's service, and overlays it on the catalogue.

    A list that cannot be read leaves the last good one, which `folder` keeps across restarts.
    """

    def __init__(self, router: Router, providers: ProviderRegistry, folder: Path, *, machine: Machine) -> None:
        self._router = router
        self._catalogue: Catalogue = router.catalogue
        self._accounts = [provider for provider in providers if provider.model_list_url is not None]
        self._servers = ServerDiscovery(providers, router.catalogue, clock=machine)
        self._folder = folder
        self._machine = machine
        self._lists: dict[tuple[str, str], _ModelList] = {}
        self._task = PeriodicTask("catalogue-refresh", self.refresh, seconds=PERIOD_SECONDS, clock=machine)

    async def start(self) -> None:
        """Apply the lists of the last run at once, and read them again in the background."""
        await self._servers.start()
        if not self._accounts:
            return
        for account in self._accounts:
            stored = await self._machine.run_in_thread(self._read_file, account)
            if stored is not None:
                self._lists[account.name, account.account] = stored
        self._apply()
        self._task.start()

    async def stop(self) -> None:
        """Stop reading."""
        await self._servers.stop()
        await self._task.stop()

    async def refresh(self) -> None:
        """Read every list now."""
        for account in self._accounts:
            await self._read_list(account)
        self._apply()

    async def _read_list(self, account: Provider) -> None:
        try:
            data = await account.models()
            listed = records_by_id(data, account.name, self._catalogue)
        except (FramegateError, InvalidListing) as error:
            reason = clean_line(str(error))
            _log.warning("Model list of %s not refreshed, the previous one holds: %s", account.name, reason)
            return
        read = datetime.fromtimestamp(self._machine.now(), UTC).strftime("%Y-%m")
        model_list = _ModelList(account.model_list_url or "", read, listed)
        self._lists[account.name, account.account] = model_list
        try:
            await self._machine.run_in_thread(self._write_file, account, model_list)
        except OSError as error:
            _log.warning("Model list of %s not saved: %s", account.name, error)

    def _apply(self) -> None:
        """Replace the router's catalogue by the one that all lists together make."""
        by_provider: defaultdict[str, list[_ModelList | None]] = defaultdict(list)
        for account in self._accounts:
            by_provider[account.name].append(self._lists.get((account.name, account.account)))
        listings = [_merge(name, lists) for name, lists in by_provider.items() if any(lists)]
        self._router.catalogue = apply_listings(self._catalogue, listings)

    # -- on disk

    def _file(self, account: Provider) -> Path:
        return self._folder / f"{account.name}-{account.account}.json"

    def _read_file(self, account: Provider) -> _ModelList | None:
        file = self._file(account)
        try:
            if file.stat().st_size > FILE_BYTES_MAX:
                return None
            document: Any = json.loads(file.read_bytes())
            if not isinstance(document, dict):
                return None
            row = cast("dict[str, Any]", document)
            if row.get("url") != account.model_list_url:  # the account used another service then
                return None
            listed = records_by_id(row.get("data"), account.name, self._catalogue)
            return _ModelList(str(row["url"]), str(row.get("read")), listed)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("Saved model list of %s not readable, the built-in catalogue holds: %s", account.name, error)
            return None

    def _write_file(self, account: Provider, model_list: _ModelList) -> None:
        make_private_folder(self._folder)
        file = self._file(account)
        new = file.with_suffix(".new")
        document = {"url": model_list.url, "read": model_list.read, "data": list(model_list.records.values())}
        new.write_text(json.dumps(document), encoding="utf-8")
        new.replace(file)


def _merge(provider: str, lists: list[_ModelList | None]) -> Listing:
    """Return the lists of all accounts at one provider as one: the first list that has a model describes it.

    No model is retired while a list is missing, or while any list still has it.
    """
    known = [model_list for model_list in lists if model_list is not None]
    merged = {name: record for model_list in reversed(known) for name, record in model_list.records.items()}
    is_complete = len(known) == len(lists)
    return Listing(provider=provider, url=known[0].url, read=known[0].read, records=merged, is_complete=is_complete)
