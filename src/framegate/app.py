"""Assembles the gate: opens its parts, mounts its dialects, and stops all of it cleanly."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from framegate import catalogue, nudges
from framegate.catalogue import Catalogue
from framegate.catalogue.credits import priced
from framegate.clock import SystemClock
from framegate.deliveries import Deliverer
from framegate.dialects import fal, native, phaseo, pictory
from framegate.dialects.gate import Gate
from framegate.dialects.links import Links, asset_link
from framegate.dialects.native.errors import install
from framegate.errors import Unavailable
from framegate.exchange import Exchanges
from framegate.finishing import Finishing
from framegate.guard import Guard
from framegate.hosts import ServiceHosts
from framegate.jobs import Jobs
from framegate.keys import Authenticator
from framegate.media.blobs import BlobStore
from framegate.moves import Moves
from framegate.net import Net
from framegate.nudges import Nudges
from framegate.preparing import Preparer
from framegate.provider import Offers
from framegate.providers.accounts import ADAPTERS
from framegate.providers.animatic import Animatic, Sandbox
from framegate.providers.pictory import Pictory
from framegate.providers.pool import Pool
from framegate.refreshing import Refresher
from framegate.routing import Router
from framegate.runner import Runner
from framegate.settings import Settings, SettingsInvalid, check_protected
from framegate.standing import Standing
from framegate.store import FolderLock, Store
from framegate.store.engines import sqlite_url
from framegate.sweeping import Sweeper
from framegate.types import Blob
from framegate.webhooks import Hooks

EXPOSED = (
    *("ETag", "Content-Range", "Accept-Ranges", "Content-Length", "Content-Disposition", "Retry-After"),
    *("X-Fal-Request-Id", "X-Fal-Billable-Units", "X-Fal-Error-Type", "X-Fal-Request-Timeout-Type"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a running gate is made of."""

    jobs: Jobs
    keys: Authenticator
    runner: Runner
    deliverer: Deliverer
    store: Store
    lock: FolderLock
    nudges: Nudges
    offers: Offers


@asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[Parts]:
    """A gate that works, without a server in front. Raises `DataFolderBusy` when another process has its folder."""
    clock, book = SystemClock(), known_models(settings)
    async with AsyncExitStack() as stack:
        lock = FolderLock(settings.data_dir)
        lock.acquire()
        stack.callback(lock.release)
        offers = await _offers(settings, stack)  # first: a renderer warms up while the rest opens
        store = await stack.enter_async_context(Store(settings.database_url or sqlite_url(settings.data_dir)))
        keys = Authenticator(store.keys, operator_key=settings.api_key, clock=clock)
        check_protected(settings, needs_key=await keys.look())
        net = await stack.enter_async_context(Net(settings))
        blobs = BlobStore(settings.data_dir / "blobs")
        blobs.clean()

        standing = Standing(clock)
        router = Router(book, offers, paused=standing.paused)
        secret = await store.secret("links")
        hooks = await _hooks(settings, store, secret, book)
        jobs = Jobs(
            settings=settings,
            store=store,
            router=router,
            blobs=blobs,
            net=net,
            clock=clock,
            secret=secret,
            hooks=hooks,
        )
        moves = Moves(
            settings=settings,
            offers=offers,
            router=router,
            standing=standing,
            preparer=Preparer(settings, blobs, net, store.asset),
            clock=clock,
            finishing=Finishing(settings, blobs, net, clock),
            link=_asset_link(settings, secret),
        )
        sole = settings.database_url is None
        deliverer = Deliverer(store, net, hooks, clock=clock, sole=sole)
        await deliverer.start()
        stack.push_async_callback(deliverer.stop)
        runner = Runner(store, moves, clock=clock, hooks=hooks, sole=sole)
        if not settings.sandbox:
            refresher = Refresher(router, offers, settings.data_dir / "catalogue", clock=clock)
            await refresher.start()  # before jobs go on, so that they do by the lists of the last run
            stack.push_async_callback(refresher.stop)
        await runner.start()
        stack.push_async_callback(runner.stop)
        sweeper = Sweeper(store, blobs, clock=clock)
        sweeper.start()
        stack.push_async_callback(sweeper.stop)
        yield Parts(
            jobs=jobs,
            keys=keys,
            runner=runner,
            deliverer=deliverer,
            store=store,
            lock=lock,
            nudges=Nudges(offers, store, clock),
            offers=offers,
        )


async def _hooks(settings: Settings, store: Store, secret: bytes, book: Catalogue) -> Hooks:
    """How each dialect calls back."""
    links = Links(secret=secret, seconds=settings.link_seconds)
    hooks = [
        native.hook(links),
        phaseo.hook(links, settings),
        pictory.hook(links),
        fal.hook(secret, book),
    ]
    return Hooks(hooks, master=await store.secret("webhooks"))


def known_models(settings: Settings) -> Catalogue:
    """The models by our own rows and the operator's. Raises `SettingsInvalid`."""
    book = catalogue.builtin()
    try:
        book = catalogue.with_rows(book, settings.models_dir) if settings.models_dir else book
    except catalogue.BadRow as error:
        raise SettingsInvalid(f"Setting `models_dir`: {error}.") from error
    ids = {model.id for model in book.models}
    if unknown := [name for name in settings.model_deadline_seconds if name not in ids]:
        raise SettingsInvalid(f"Setting `model_deadline_seconds`: {unknown[0]!r} is not the id of a model.")
    return priced(book, {"pictory": settings.pictory_usd_per_credit})


async def _offers(settings: Settings, stack: AsyncExitStack) -> Offers:
    pool = Pool(settings.render_workers)
    pool.warm()
    folder = settings.data_dir / "renders"
    engine = Animatic(pool, folder)
    stack.push_async_callback(engine.close)
    if settings.sandbox:  # no provider is called there, whatever accounts there are
        return Offers([engine], sandbox=Sandbox(pool, folder))
    accounts = [ADAPTERS[account.provider](account) for account in settings.accounts]
    for provider in accounts:
        if isinstance(provider, Pictory):
            provider.usd_per_credit = settings.pictory_usd_per_credit
        provider.linked = settings.public_url is not None
        stack.push_async_callback(provider.close)
    return Offers([engine, *accounts])


def _asset_link(settings: Settings, secret: bytes) -> Callable[[Blob], str | None]:
    """Where a provider can fetch a reference from, if the gate can be reached from outside."""
    links, base_url = Links(secret=secret, seconds=settings.link_seconds), settings.public_url
    return lambda blob: asset_link(links, base_url.rstrip("/"), blob) if base_url else None


def build(settings: Settings) -> Starlette:
    """The gate as an ASGI application; its lifespan opens and closes everything. `state.gate` is the gate inside."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[dict[str, Any]]:
        async with running(settings) as parts:
            gate = Gate(
                settings=settings,
                jobs=parts.jobs,
                keys=parts.keys,
                closing=asyncio.Event(),
                orderable=lambda offer: bool(parts.offers.taking(offer.provider, offer.id)),
            )
            app.state.gate, app.state.parts = gate, parts
            yield {"gate": gate}
            gate.closing.set()

    def needs_key() -> bool:
        parts: Parts = app.state.parts
        return parts.keys.needs_key

    async def ready(_: Request) -> JSONResponse:
        parts: Parts = app.state.parts
        await parts.store.count_active()
        if not parts.runner.alive:
            raise Unavailable("The runner has stopped.")
        if not parts.deliverer.alive:
            raise Unavailable("The deliverer of webhooks has stopped.")
        return JSONResponse({"status": "ready"})

    async def called(request: Request) -> JSONResponse:
        parts: Parts = app.state.parts
        return await parts.nudges.take(request)

    async def answered(job_ids: Sequence[str]) -> None:
        parts: Parts = app.state.parts
        await parts.jobs.answered(job_ids)

    app = Starlette(
        routes=[
            Route("/healthz", _alive),
            Route("/readyz", ready),
            Route(nudges.PATH, called, methods=["POST"]),
            Mount(native.PATH, native.build(needs_key=needs_key)),
            Mount(fal.PATH, fal.build(needs_key=needs_key)),
            Route(fal.JWKS, fal.public_keys),
            Mount(phaseo.PATH, phaseo.build(needs_key=needs_key)),
            Mount(pictory.PATH, pictory.build(needs_key=needs_key)),
        ],
        middleware=[
            Middleware(Guard, settings=settings),
            Middleware(ServiceHosts, settings=settings),
            Middleware(Exchanges, answered=answered),
            *_cors(settings),
        ],
        lifespan=lifespan,
    )
    install(app)
    return app


async def _alive(_: Request) -> JSONResponse:
    return JSONResponse({"status": "alive"})


def _cors(settings: Settings) -> list[Middleware]:
    if not settings.allowed_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )
    ]


class Server(uvicorn.Server):
    """Says when it serves, and tells the gate that it stops before it waits for open connections."""

    def __init__(self, config: uvicorn.Config, app: Starlette, on_ready: Callable[[str], object]) -> None:
        super().__init__(config)
        self._app = app
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say under which address."""
        await super().startup(sockets)
        if self.started and self.servers:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            parts: Parts = self._app.state.parts
            parts.lock.announce(url)
            self._on_ready(url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: those who follow a job are let go first."""
        gate: Gate = self._app.state.gate
        gate.closing.set()
        await super().shutdown(sockets)
