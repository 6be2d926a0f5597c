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

from framegate import catalogue
from framegate.api import provider_webhooks
from framegate.api.auth import Authenticator
from framegate.api.context import ApiContext
from framegate.api.dialects import fal, native, phaseo, pictory
from framegate.api.dialects.native.errors import install
from framegate.api.http.signed_urls import UrlSigner, asset_link
from framegate.api.middleware.client_disconnect import ClientDisconnect
from framegate.api.middleware.host_guard import HostGuard
from framegate.api.middleware.vendor_hosts import VendorHosts
from framegate.api.provider_webhooks import ProviderWebhooks
from framegate.catalogue import Catalogue
from framegate.catalogue.credits import priced
from framegate.config.settings import Settings, SettingsInvalid, check_protected
from framegate.domain import Blob
from framegate.domain.clock import SystemClock
from framegate.domain.errors import Unavailable
from framegate.jobs.account_health import AccountHealth
from framegate.jobs.background.blob_gc import BlobGarbageCollector
from framegate.jobs.background.catalogue_refresh import CatalogueRefresher
from framegate.jobs.executor.render_pool import RenderPool
from framegate.jobs.references import ReferencePreparer
from framegate.jobs.routing import Router
from framegate.jobs.service import JobService
from framegate.jobs.state_machine.finalize import Finalizer
from framegate.jobs.state_machine.machine import JobStateMachine
from framegate.jobs.webhooks.dialect import WebhookDialects
from framegate.jobs.webhooks.dispatcher import WebhookDispatcher
from framegate.jobs.worker import Worker
from framegate.net.fetcher import Fetcher
from framegate.providers.animatic.adapter import Animatic, Sandbox
from framegate.providers.base import ProviderRegistry
from framegate.providers.pictory import Pictory
from framegate.providers.registry import ADAPTERS
from framegate.storage.blobs import BlobStore
from framegate.store import FolderLock, Store
from framegate.store.engine import sqlite_url

EXPOSED = (
    *("ETag", "Content-Range", "Accept-Ranges", "Content-Length", "Content-Disposition", "Retry-After"),
    *("X-Fal-Request-Id", "X-Fal-Billable-Units", "X-Fal-Error-Type", "X-Fal-Request-Timeout-Type"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a running gate is made of."""

    jobs: JobService
    keys: Authenticator
    runner: Worker
    deliverer: WebhookDispatcher
    store: Store
    lock: FolderLock
    nudges: ProviderWebhooks
    offers: ProviderRegistry


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
        net = await stack.enter_async_context(Fetcher(settings))
        blobs = BlobStore(settings.data_dir / "blobs")
        blobs.clean()

        standing = AccountHealth(clock)
        router = Router(book, offers, paused=standing.is_paused)
        secret = await store.secret("links")
        hooks = await _hooks(settings, store, secret, book)
        jobs = JobService(
            settings=settings,
            store=store,
            router=router,
            blobs=blobs,
            net=net,
            clock=clock,
            secret=secret,
            hooks=hooks,
        )
        moves = JobStateMachine(
            settings=settings,
            providers=offers,
            router=router,
            account_health=standing,
            preparer=ReferencePreparer(settings, blobs, net, store.asset),
            clock=clock,
            finalizer=Finalizer(settings, blobs, net, clock),
            reference_url=_asset_link(settings, secret),
        )
        sole = settings.database_url is None
        deliverer = WebhookDispatcher(store, net, hooks, clock=clock, sole=sole)
        await deliverer.start()
        stack.push_async_callback(deliverer.stop)
        runner = Worker(store, moves, clock=clock, hooks=hooks, sole=sole)
        if not settings.sandbox:
            refresher = CatalogueRefresher(router, offers, settings.data_dir / "catalogue", clock=clock)
            await refresher.start()  # before jobs go on, so that they do by the lists of the last run
            stack.push_async_callback(refresher.stop)
        await runner.start()
        stack.push_async_callback(runner.stop)
        sweeper = BlobGarbageCollector(store, blobs, clock=clock)
        sweeper.start()
        stack.push_async_callback(sweeper.stop)
        yield Parts(
            jobs=jobs,
            keys=keys,
            runner=runner,
            deliverer=deliverer,
            store=store,
            lock=lock,
            nudges=ProviderWebhooks(offers, store, clock),
            offers=offers,
        )


async def _hooks(settings: Settings, store: Store, secret: bytes, book: Catalogue) -> WebhookDialects:
    """How each dialect calls back."""
    links = UrlSigner(secret=secret, seconds=settings.signed_url_ttl_seconds)
    hooks = [
        native.hook(links),
        phaseo.hook(links, settings),
        pictory.hook(links),
        fal.hook(secret, book),
    ]
    return WebhookDialects(hooks, master=await store.secret("webhooks"))


def known_models(settings: Settings) -> Catalogue:
    """The models by our own rows and the operator's. Raises `SettingsInvalid`."""
    book = catalogue.builtin()
    try:
        book = catalogue.with_rows(book, settings.catalogue_dir) if settings.catalogue_dir else book
    except catalogue.BadRow as error:
        raise SettingsInvalid(f"Setting `models_dir`: {error}.") from error
    ids = {model.id for model in book.models}
    if unknown := [name for name in settings.model_deadline_seconds if name not in ids]:
        raise SettingsInvalid(f"Setting `model_deadline_seconds`: {unknown[0]!r} is not the id of a model.")
    return priced(book, {"pictory": settings.pictory_usd_per_credit})


async def _offers(settings: Settings, stack: AsyncExitStack) -> ProviderRegistry:
    pool = RenderPool(settings.render_workers)
    pool.warm()
    folder = settings.data_dir / "renders"
    engine = Animatic(pool, folder)
    stack.push_async_callback(engine.close)
    if settings.sandbox:  # no provider is called there, whatever accounts there are
        return ProviderRegistry([engine], sandbox=Sandbox(pool, folder))
    accounts = [ADAPTERS[account.provider](account) for account in settings.accounts]
    for provider in accounts:
        if isinstance(provider, Pictory):
            provider.usd_per_credit = settings.pictory_usd_per_credit
        provider.reaches_gateway = settings.public_url is not None
        stack.push_async_callback(provider.close)
    return ProviderRegistry([engine, *accounts])


def _asset_link(settings: Settings, secret: bytes) -> Callable[[Blob], str | None]:
    """Where a provider can fetch a reference from, if the gate can be reached from outside."""
    links, base_url = UrlSigner(secret=secret, seconds=settings.signed_url_ttl_seconds), settings.public_url
    return lambda blob: asset_link(links, base_url.rstrip("/"), blob) if base_url else None


def build_app(settings: Settings) -> Starlette:
    """The gate as an ASGI application; its lifespan opens and closes everything. `state.gate` is the gate inside."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[dict[str, Any]]:
        async with running(settings) as parts:
            gate = ApiContext(
                settings=settings,
                jobs=parts.jobs,
                keys=parts.keys,
                closing=asyncio.Event(),
                orderable=lambda offer: bool(parts.offers.for_offer(offer.provider, offer.id)),
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
        return await parts.nudges.receive(request)

    async def answered(job_ids: Sequence[str]) -> None:
        parts: Parts = app.state.parts
        await parts.jobs.acknowledged(job_ids)

    app = Starlette(
        routes=[
            Route("/healthz", _alive),
            Route("/readyz", ready),
            Route(provider_webhooks.PATH, called, methods=["POST"]),
            Mount(native.PATH, native.build(needs_key=needs_key)),
            Mount(fal.PATH, fal.build(needs_key=needs_key)),
            Route(fal.JWKS, fal.public_keys),
            Mount(phaseo.PATH, phaseo.build(needs_key=needs_key)),
            Mount(pictory.PATH, pictory.build(needs_key=needs_key)),
        ],
        middleware=[
            Middleware(HostGuard, settings=settings),
            Middleware(VendorHosts, settings=settings),
            Middleware(ClientDisconnect, answered=answered),
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
        gate: ApiContext = self._app.state.gate
        gate.closing.set()
        await super().shutdown(sockets)
