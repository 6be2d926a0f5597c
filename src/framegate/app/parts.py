"""Parts of a gateway, built from settings and a machine. The server, the embedded gateway and the tests share this."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from framegate import catalogue
from framegate.api.auth import Authenticator
from framegate.api.dialects import fal, native, phaseo, pictory
from framegate.api.http.signed_urls import UrlSigner, asset_link
from framegate.api.provider_webhooks import ProviderWebhooks
from framegate.catalogue import Catalogue
from framegate.catalogue.pricing import with_credit_prices
from framegate.config.settings import Settings, SettingsInvalid, check_protected
from framegate.domain import Blob
from framegate.domain.keys import operator_credential
from framegate.domain.machine import Machine
from framegate.jobs.account_health import AccountHealth
from framegate.jobs.background.blob_gc import BlobGarbageCollector
from framegate.jobs.background.catalogue_refresh import CatalogueRefresher
from framegate.jobs.background.loop_check import LoopCheck
from framegate.jobs.clock import JobClock
from framegate.jobs.executor import Executor, LocalExecutor
from framegate.jobs.references import ReferencePreparer
from framegate.jobs.routing import Router
from framegate.jobs.service import JobService
from framegate.jobs.state_machine.finalize import Finalizer
from framegate.jobs.state_machine.machine import JobStateMachine
from framegate.jobs.webhooks.dialect import WebhookDialects
from framegate.jobs.webhooks.dispatcher import WebhookDispatcher
from framegate.jobs.worker import Worker
from framegate.net import loops
from framegate.net.fetcher import Fetcher
from framegate.providers.animatic.adapter import Animatic, Sandbox
from framegate.providers.base import Provider
from framegate.providers.registry import ProviderRegistry, build_providers
from framegate.storage.blobs import BlobStore
from framegate.store import FolderLock, Store
from framegate.store.engine import sqlite_url


class Service(Protocol):
    """A background part that is started after the build and stopped before the exit."""

    async def start(self) -> None:
        """Start working."""
        ...

    async def stop(self) -> None:
        """Stop working."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a gateway holds open: its data folder, database, connections and processes."""

    settings: Settings
    machine: Machine
    executor: Executor
    lock: FolderLock
    providers: ProviderRegistry
    store: Store
    net: Fetcher
    blobs: BlobStore
    link_secret: bytes
    webhook_secret: bytes
    gateway_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Parts of a running gateway. `services` are in the order in which they start."""

    settings: Settings
    machine: Machine
    lock: FolderLock
    store: Store
    keys: Authenticator
    providers: ProviderRegistry
    router: Router
    jobs: JobService
    url_signer: UrlSigner
    gateway_id: str
    state_machine: JobStateMachine
    worker: Worker
    dispatcher: WebhookDispatcher
    provider_webhooks: ProviderWebhooks
    executor: Executor
    services: tuple[Service, ...]


@asynccontextmanager
async def build_parts(
    settings: Settings,
    machine: Machine,
    *,
    providers: Sequence[Provider] | None = None,
    executor: Executor | None = None,
) -> AsyncGenerator[Parts]:
    """Build and start the parts of a gateway; stop them on exit.

    `providers` replaces the configured accounts and the renderer, `executor` the local processes. Raises
    `DataFolderBusy` if another process uses the data folder, `SettingsInvalid`, and `Unavailable` without a database.
    """
    async with AsyncExitStack() as stack:
        lock = FolderLock(settings.data_dir, sandbox=settings.sandbox)
        lock.acquire()
        stack.callback(lock.release)
        models = known_models(settings)
        resources = await _open_resources(stack, settings, machine, lock, providers, executor)
        parts = _wire(resources, models)
        check_protected(settings, needs_key=await parts.keys.look())
        for service in parts.services:
            await service.start()
            stack.push_async_callback(service.stop)
        yield parts


async def _open_resources(
    stack: AsyncExitStack,
    settings: Settings,
    machine: Machine,
    lock: FolderLock,
    providers: Sequence[Provider] | None,
    executor: Executor | None,
) -> Resources:
    """Open everything that must be closed; `stack` closes it in reverse order."""
    if executor is None:
        executor = LocalExecutor(
            machine,
            render_workers=settings.render_workers,
            check_workers=settings.check_workers,
            decoder_bytes_max=settings.decoder_bytes_max,
        )
        executor.warm()  # first: a render process starts while the rest is built
    stack.push_async_callback(executor.close)
    url = settings.database_url or sqlite_url(settings.data_dir)
    store = await stack.enter_async_context(Store(url, machine=machine))
    link_secret = await store.secret("links")
    own_id = loops.gateway_id(link_secret)
    registry = _build_registry(settings, machine, executor, providers, own_id)
    for provider in registry:
        provider.decoder = executor
        stack.push_async_callback(provider.close)
    net = await stack.enter_async_context(Fetcher(settings, machine=machine))
    blobs = BlobStore(settings.data_dir / "blobs", machine=machine, free_bytes_min=settings.disk_free_bytes_min)
    blobs.clean()
    return Resources(
        settings=settings,
        machine=machine,
        executor=executor,
        lock=lock,
        providers=registry,
        store=store,
        net=net,
        blobs=blobs,
        link_secret=link_secret,
        webhook_secret=await store.secret("webhooks"),
        gateway_id=own_id,
    )


def _wire(resources: Resources, models: Catalogue) -> Parts:
    """Connect the parts; nothing is started."""
    settings, machine = resources.settings, resources.machine
    store, net, blobs = resources.store, resources.net, resources.blobs
    clock = JobClock(machine)
    account_health = AccountHealth(clock)
    router = Router(models, resources.providers, paused=account_health.is_paused)
    signer = UrlSigner(
        secret=resources.link_secret,
        seconds=settings.signed_url_ttl_seconds,
        clock=machine,
        operator=operator_credential(settings.api_key),
    )
    webhook_dialects = _webhook_dialects(resources, signer, models)
    state_machine = JobStateMachine(
        settings=settings,
        providers=resources.providers,
        router=router,
        account_health=account_health,
        preparer=ReferencePreparer(settings, blobs, net, resources.executor, store.asset),
        clock=clock,
        finalizer=Finalizer(settings, blobs, net, machine, resources.executor),
        reference_url=_reference_url(settings, signer),
    )
    is_sole = settings.database_url is None
    dispatcher = WebhookDispatcher(store, net, webhook_dialects, machine=machine, sole=is_sole)
    refresher = CatalogueRefresher(router, resources.providers, settings.data_dir / "catalogue", machine=machine)
    worker = Worker(store, state_machine, machine=machine, webhook_dialects=webhook_dialects, sole=is_sole)
    collector = BlobGarbageCollector(store, blobs, machine=machine)
    # The lists of the last run apply before the worker continues jobs; a sandbox calls no service.
    loop_check = LoopCheck(resources.providers)
    services = (dispatcher, *(() if settings.sandbox else (loop_check, refresher)), worker, collector)
    return Parts(
        settings=settings,
        machine=machine,
        lock=resources.lock,
        store=store,
        keys=Authenticator(store.keys, operator_key=settings.api_key, clock=machine),
        providers=resources.providers,
        router=router,
        jobs=JobService(
            settings=settings,
            store=store,
            router=router,
            blobs=blobs,
            net=net,
            executor=resources.executor,
            machine=machine,
            secret=resources.link_secret,
            webhook_dialects=webhook_dialects,
        ),
        url_signer=signer,
        gateway_id=resources.gateway_id,
        state_machine=state_machine,
        worker=worker,
        dispatcher=dispatcher,
        provider_webhooks=ProviderWebhooks(resources.providers, store, machine),
        executor=resources.executor,
        services=services,
    )


def _webhook_dialects(resources: Resources, signer: UrlSigner, models: Catalogue) -> WebhookDialects:
    dialects = [
        native.webhook_dialect(signer),
        phaseo.webhook_dialect(signer, resources.settings),
        pictory.webhook_dialect(signer),
        fal.webhook_dialect(signer, models),
    ]
    return WebhookDialects(dialects, machine=resources.machine, master=resources.webhook_secret)


def known_models(settings: Settings) -> Catalogue:
    """Return the built-in catalog entries with the operator's. Raises `SettingsInvalid`."""
    models = catalogue.builtin()
    try:
        models = catalogue.with_entries(models, settings.catalogue_dir) if settings.catalogue_dir else models
    except catalogue.InvalidEntry as error:
        raise SettingsInvalid(f"Setting `catalogue_dir`: {error}.") from error
    ids = {model.id for model in models.models}
    if unknown := [name for name in settings.model_deadline_seconds if name not in ids]:
        raise SettingsInvalid(f"Setting `model_deadline_seconds`: {unknown[0]!r} is not the id of a model.")
    return with_credit_prices(models, {"pictory": settings.pictory_usd_per_credit})


def _build_registry(
    settings: Settings, machine: Machine, executor: Executor, providers: Sequence[Provider] | None, gateway_id: str
) -> ProviderRegistry:
    if providers is not None:
        return ProviderRegistry(providers)
    folder = settings.data_dir / "renders"
    animatic = Animatic(executor.renderer, folder)
    if settings.sandbox:  # no provider is called, whichever accounts are configured
        return ProviderRegistry([animatic], sandbox=Sandbox(executor.renderer, folder))
    return ProviderRegistry([animatic, *build_providers(settings, machine, gateway_id=gateway_id)])


def _reference_url(settings: Settings, signer: UrlSigner) -> Callable[[Blob], str | None]:
    """Return a function from a reference to the signed URL where a provider can fetch it; None without a public URL."""
    base_url = settings.public_url
    return lambda blob: asset_link(signer, base_url.rstrip("/"), blob) if base_url else None
