"""Parts of a gateway, built from settings and a machine. The server, the embedded gateway and the tests share this."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from framegate import catalogue
from framegate.api.auth import Authenticator
from framegate.api.dialects import fal, native, phaseo, pictory
from framegate.api.http.signed_urls import UrlSigner, asset_link
from framegate.api.provider_webhooks import ProviderWebhooks
from framegate.catalogue import Catalogue
from framegate.catalogue.pricing import with_credit_prices
from framegate.config.settings import Settings, SettingsInvalid, check_protected
from framegate.domain import Blob
from framegate.domain.machine import Machine
from framegate.jobs.account_health import AccountHealth
from framegate.jobs.background.blob_gc import BlobGarbageCollector
from framegate.jobs.background.catalogue_refresh import CatalogueRefresher
from framegate.jobs.executor import Executor, LocalExecutor
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
from framegate.providers.base import Provider
from framegate.providers.registry import ProviderRegistry, build_providers
from framegate.storage.blobs import BlobStore
from framegate.store import FolderLock, Store
from framegate.store.engine import sqlite_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Parts of a running gateway."""

    settings: Settings
    machine: Machine
    lock: FolderLock
    store: Store
    keys: Authenticator
    providers: ProviderRegistry
    router: Router
    jobs: JobService
    url_signer: UrlSigner
    state_machine: JobStateMachine
    worker: Worker
    dispatcher: WebhookDispatcher
    provider_webhooks: ProviderWebhooks


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
        lock = FolderLock(settings.data_dir)
        lock.acquire()
        stack.callback(lock.release)
        models = known_models(settings)
        if executor is None:
            executor = LocalExecutor(machine, render_workers=settings.render_workers)
            executor.warm()  # first: a render process starts while the rest is built
        stack.push_async_callback(executor.close)
        registry = _build_registry(settings, machine, executor, providers)
        for provider in registry:
            stack.push_async_callback(provider.close)
        url = settings.database_url or sqlite_url(settings.data_dir)
        store = await stack.enter_async_context(Store(url, machine=machine))
        keys = Authenticator(store.keys, operator_key=settings.api_key, clock=machine)
        check_protected(settings, needs_key=await keys.look())
        net = await stack.enter_async_context(Fetcher(settings, machine=machine))
        blobs = BlobStore(settings.data_dir / "blobs", machine=machine)
        blobs.clean()

        account_health = AccountHealth(machine)
        router = Router(models, registry, paused=account_health.is_paused)
        secret = await store.secret("links")
        signer = UrlSigner(secret=secret, seconds=settings.signed_url_ttl_seconds, clock=machine)
        webhook_dialects = WebhookDialects(
            [
                native.webhook_dialect(signer),
                phaseo.webhook_dialect(signer, settings),
                pictory.webhook_dialect(signer),
                fal.webhook_dialect(secret, models),
            ],
            machine=machine,
            master=await store.secret("webhooks"),
        )
        jobs = JobService(
            settings=settings,
            store=store,
            router=router,
            blobs=blobs,
            net=net,
            machine=machine,
            secret=secret,
            webhook_dialects=webhook_dialects,
        )
        state_machine = JobStateMachine(
            settings=settings,
            providers=registry,
            router=router,
            account_health=account_health,
            preparer=ReferencePreparer(settings, blobs, net, store.asset),
            clock=machine,
            finalizer=Finalizer(settings, blobs, net, machine, executor),
            reference_url=_reference_url(settings, signer),
        )
        is_sole = settings.database_url is None
        dispatcher = WebhookDispatcher(store, net, webhook_dialects, machine=machine, sole=is_sole)
        await dispatcher.start()
        stack.push_async_callback(dispatcher.stop)
        worker = Worker(store, state_machine, machine=machine, webhook_dialects=webhook_dialects, sole=is_sole)
        if not settings.sandbox:
            refresher = CatalogueRefresher(router, registry, settings.data_dir / "catalogue", machine=machine)
            await refresher.start()  # before the worker, so that jobs use the lists of the last run
            stack.push_async_callback(refresher.stop)
        await worker.start()
        stack.push_async_callback(worker.stop)
        collector = BlobGarbageCollector(store, blobs, machine=machine)
        await collector.start()
        stack.push_async_callback(collector.stop)
        yield Parts(
            settings=settings,
            machine=machine,
            lock=lock,
            store=store,
            keys=keys,
            providers=registry,
            router=router,
            jobs=jobs,
            url_signer=signer,
            state_machine=state_machine,
            worker=worker,
            dispatcher=dispatcher,
            provider_webhooks=ProviderWebhooks(registry, store, machine),
        )


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
    settings: Settings, machine: Machine, executor: Executor, providers: Sequence[Provider] | None
) -> ProviderRegistry:
    if providers is not None:
        return ProviderRegistry(providers)
    folder = settings.data_dir / "renders"
    animatic = Animatic(executor.renderer, folder)
    if settings.sandbox:  # no provider is called, whichever accounts are configured
        return ProviderRegistry([animatic], sandbox=Sandbox(executor.renderer, folder))
    return ProviderRegistry([animatic, *build_providers(settings, machine)])


def _reference_url(settings: Settings, signer: UrlSigner) -> Callable[[Blob], str | None]:
    """Return a function from a reference to the signed URL where a provider can fetch it; None without a public URL."""
    base_url = settings.public_url
    return lambda blob: asset_link(signer, base_url.rstrip("/"), blob) if base_url else None
