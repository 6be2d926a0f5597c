"""Creates that are being answered in this process: two clients who ask the same are told from one who asks again."""

import asyncio
from typing import Self

from framegate.api.middleware.client_disconnect import RequestContext
from framegate.domain import Job
from framegate.store.job_writes import UnacknowledgedCreate

Asked = tuple[str, str]  # owner and fingerprint


class InflightCreate:
    """One create on its way. A context manager: whoever leaves it without a job leaves none behind.

    Outside of an exchange, or with an idempotency key, nothing is remembered.
    """

    def __init__(self, creates: "CreateDeduplicator", owner: str, exchange: RequestContext | None) -> None:
        self._creates = creates
        self._owner = owner
        self.exchange = exchange
        self.job_id: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.draft: str | None = None  # the job's id from before it is durable

    @property
    def asked(self) -> Asked | None:
        """Who asks for what."""
        return (self._owner, self.exchange.fingerprint) if self.exchange else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.job_id.done():
            self.job_id.set_result(None)
            self._creates.end(self)

    async def orphaned_duplicate(self) -> str | None:
        """The job of an identical create under way whose client has gone; waits until that job is durable."""
        earlier = self._creates.duplicates(self)
        self._creates.begin(self)
        for other in earlier:
            if (
                other.exchange
                and await other.exchange.is_disconnected()
                and (job_id := await asyncio.shield(other.job_id))
            ):
                return job_id
        return None

    def unacknowledged(self, draft: Job, *, since: float) -> UnacknowledgedCreate | None:
        """How this create, of the job `draft`, stands in the store until its client has the answer."""
        self.draft = draft.id
        if self.asked is None:
            return None
        attended = frozenset(other.draft for other in self._creates.duplicates(self) if other.draft)
        return UnacknowledgedCreate(fingerprint=self.asked[1], since=since, attended=attended)

    def resolve(self, job: Job) -> Job:
        """The job is durable; it may be an earlier one in the place of the draft."""
        self.draft = job.id
        self.job_id.set_result(job.id)
        if self.exchange:
            self.exchange.created.append(job.id)
            self.exchange.on_close(lambda: self._creates.end(self))
        return job


class CreateDeduplicator:
    """All that are under way, by what was asked."""

    def __init__(self) -> None:
        self._all: dict[Asked, list[InflightCreate]] = {}

    def start(self, owner: str, exchange: RequestContext | None) -> InflightCreate:
        """A create begins."""
        return InflightCreate(self, owner, exchange)

    def duplicates(self, asking: InflightCreate) -> list[InflightCreate]:
        """Others that ask the same."""
        return [other for other in self._all.get(asking.asked or ("", ""), ()) if other is not asking]

    def begin(self, asking: InflightCreate) -> None:
        """It is to be found by others."""
        if asking.asked:
            self._all.setdefault(asking.asked, []).append(asking)

    def end(self, asking: InflightCreate) -> None:
        """Its exchange is over."""
        asked = asking.asked
        if asked is None:
            return
        self._all[asked] = [other for other in self._all.get(asked, ()) if other is not asking]
        if not self._all[asked]:
            del self._all[asked]
