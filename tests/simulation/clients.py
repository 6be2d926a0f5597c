"""Clients: they create, break off, repeat identically, wait, cancel and delete."""

import asyncio
import hashlib
import random
from collections.abc import Callable

from framegate.app.parts import Parts
from framegate.domain import Job, Kind, Reference, Request, Role, Routing, Scope
from framegate.domain.errors import FramegateError, NotFound, Unavailable
from framegate.domain.keys import Caller
from simulation.gateway import Died, Gateway
from simulation.profiles import Profile

OWNER = "default"
PROVIDER_OF_SERVICE = {"relay": "openrouter"}
PHASEO_EVENTS = ("created", "status_changed", "progress", "completed", "failed", "cancelled", "expired")


class CreateContext:
    """The inbound request of a create, as the HTTP middleware has it."""

    def __init__(self, text: str) -> None:
        self.created: list[str] = []
        self.fingerprint = hashlib.sha256(text.encode()).hexdigest()
        self.is_gone = False
        self.replayed = False
        self.response_started = False
        self.response: Job | None = None  # once it is on its way: the acknowledgment follows it
        self.responds = asyncio.Event()
        self._ends: list[Callable[[], None]] = []

    async def is_disconnected(self) -> bool:
        return self.is_gone and not self.response_started

    def on_close(self, do: Callable[[], None], /) -> None:
        self._ends.append(do)

    def end(self) -> None:
        for do in self._ends:
            do()


class Client:
    """One client, which wants one video."""

    def __init__(self, number: int, seed: str, gateway: Gateway, profile: Profile, key_id: str | None) -> None:
        self.number = number
        self.name = f"client {number}"
        self._random = chance = random.Random(f"{seed}/{self.name}")
        self._gateway, self._profile = gateway, profile
        self.has_budget = key_id is not None
        scopes = frozenset({Scope.CREATE, Scope.READ})
        self._caller = Caller(owner=OWNER, scopes=scopes, key_id=key_id)
        choices = [name for name in profile.providers if name != "phaseo"] if key_id else profile.providers
        self.provider = chance.choice(choices)
        self.dialect = chance.choice(("native", "phaseo"))
        self.has_key = chance.random() < profile.keyed_creates
        self.starts_at = chance.uniform(0, profile.chaos_seconds * 0.7)
        self.request = self._request()
        self.answered: set[str] = set()  # ids of the jobs that its creates returned
        self.refusal: str | None = None
        self.cancel_answered_at: float | None = None
        self.is_deleted = False

    def _request(self) -> Request:
        chance, provider = self._random, PROVIDER_OF_SERVICE.get(self.provider, self.provider)
        reference = Reference(url="https://pictures.example/a.png", kind=Kind.IMAGE, role=Role.REFERENCE)
        with_picture = provider == "fal" or chance.random() < 0.1
        receiver = f"https://hook-{chance.randrange(3)}.example/{self.number}" if chance.random() < 0.7 else None
        return Request(
            model="google/veo-3.1",
            prompt=f"a cat, says {self.name}",
            duration=8,
            references=(reference,) if with_picture else (),
            routing=Routing(order=(provider,)) if chance.random() < 0.2 else Routing(only=(provider,)),
            callback_url=receiver,
            callback_events=PHASEO_EVENTS if self.dialect == "phaseo" and receiver else (),
        )

    async def live(self) -> None:
        """Live to the end of its interest."""
        chance, profile = self._random, self._profile
        await asyncio.sleep(self.starts_at)
        job_id = await self._create()
        if job_id is None:
            return
        if chance.random() < profile.cancels:
            await asyncio.sleep(chance.uniform(0, profile.cancel_seconds_max))
            await self._cancel(job_id)
        elif chance.random() < profile.waits:
            await self._wait(job_id)
        if chance.random() < profile.deletes:
            await self._delete(job_id)

    async def _create(self) -> str | None:
        """Create the job; repeat the same request until there is a response."""
        chance = self._random
        while True:
            await self._gateway.is_up.wait()
            breaks_off = chance.random() < self._profile.broken_creates and not self._gateway.machine.calm
            context = CreateContext(self.name)
            try:
                request = self._gateway.begin(lambda parts, context=context: self._handle(parts, context))
                patience = chance.choice((0.001, 0.05, 0.5)) if breaks_off else 120.0
                job = await request.result(within=patience, or_at=context.responds) or context.response
                assert job is not None
            except (Died, TimeoutError) as error:
                context.is_gone = True
                self._gateway.machine.trace(f"{self.name} has no response: {type(error).__name__}")
            except Unavailable:
                pass
            except FramegateError as error:
                self._gateway.machine.trace(f"{self.name} was refused: {error.code}")
                self.refusal = error.code
                return None
            else:
                self._gateway.machine.trace(f"{self.name} has job {job.id[-6:]}")
                self.answered.add(job.id)
                return job.id
            await asyncio.sleep(chance.uniform(0.0, 10.0))

    async def _handle(self, parts: Parts, context: CreateContext) -> Job:
        base_url = "https://gateway.example/v1"
        try:
            job = await parts.jobs.create(
                self.request,
                caller=self._caller,
                dialect=self.dialect,
                context=context,
                idempotency_key=self.name if self.has_key else None,
                body_hash=context.fingerprint,
                base_url=base_url,
            )
            context.response_started = not context.is_gone
            if context.response_started:
                context.response = job
                context.responds.set()
                await parts.jobs.acknowledge(context.created)
            return job
        finally:
            context.end()

    async def _cancel(self, job_id: str) -> None:
        self._gateway.machine.trace(f"{self.name} cancels")
        while True:
            try:
                job = await self._gateway.ask(lambda parts: parts.jobs.cancel(job_id, owner=OWNER))
            except Unavailable:
                await asyncio.sleep(1.0)
            except FramegateError:
                return
            else:
                self._gateway.machine.trace(f"{self.name} has the answer to its cancel: {job.state.value}")
                if job.state.value == "cancelled":
                    self.cancel_answered_at = self._gateway.machine.seconds
                return

    async def _wait(self, job_id: str) -> None:
        for _ in range(8):
            try:
                job = await self._gateway.ask(lambda parts: parts.jobs.wait(job_id, owner=OWNER, seconds=60))
            except FramegateError:
                await asyncio.sleep(1.0)
                continue
            if job.state.is_final:
                return

    async def _delete(self, job_id: str) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(20, 200))
            try:
                await self._gateway.ask(lambda parts: parts.jobs.delete(job_id, owner=OWNER))
            except NotFound:
                pass
            except FramegateError:
                continue
            self.is_deleted = True
            return
