"""ASGI application: routes, middleware and readiness over the parts of a gateway."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from framegate.api.context import ApiContext
from framegate.api.dialects import fal, native, phaseo, pictory
from framegate.api.http.errors import install
from framegate.api.middleware.client_disconnect import ClientDisconnect
from framegate.api.middleware.host_guard import HostGuard, allowed_origins
from framegate.api.middleware.loop_guard import LoopGuard
from framegate.api.middleware.paths import PathNormalizer
from framegate.api.middleware.request_id import RequestIds
from framegate.api.middleware.security_headers import SecurityHeaders
from framegate.api.middleware.vendor_hosts import VendorHosts
from framegate.api.own_files import OwnFiles
from framegate.app.parts import Parts, build_parts
from framegate.config.settings import Settings
from framegate.domain.errors import Unavailable
from framegate.domain.machine import Machine
from framegate.jobs.executor import Executor
from framegate.jobs.operator import Operator
from framegate.jobs.state_machine.provider_webhook import PATH as PROVIDER_WEBHOOK_PATH
from framegate.providers.base import Provider

EXPOSED_HEADERS = (
    *("ETag", "Content-Range", "Accept-Ranges", "Content-Length", "Content-Disposition", "Retry-After", "X-Request-Id"),
    *("X-Fal-Request-Id", "X-Fal-Billable-Units", "X-Fal-Error-Type", "X-Fal-Request-Timeout-Type"),
    "Idempotency-Replayed",
)
FILE_LINKS = (phaseo.file_link, fal.file_link, pictory.file_link, native.file_link)
SHOWS = {  # how each dialect shows an error, by its mount point
    native.PATH: native.show,
    fal.PATH: fal.errors.show,
    phaseo.PATH: phaseo.errors.show,
    pictory.PATH: pictory.errors.show,
}


def build_app(
    settings: Settings,
    machine: Machine | None = None,
    *,
    providers: Sequence[Provider] | None = None,
    executor: Executor | None = None,
) -> Starlette:
    """Return the gateway as an ASGI application; its lifespan builds the parts, `state.parts`, and stops them.

    See `build_parts` for the arguments and errors.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[dict[str, Any]]:
        async with build_parts(settings, machine or Machine(), providers=providers, executor=executor) as parts:
            context = ApiContext(
                settings=settings,
                jobs=parts.jobs,
                operator=Operator(parts.jobs, parts.store, parts.machine),
                keys=parts.keys,
                machine=parts.machine,
                closing=asyncio.Event(),
                url_signer=parts.url_signer,
                gateway_id=parts.gateway_id,
                orderable=lambda offer: bool(parts.providers.for_offer(offer.provider, offer.id)),
            )
            parts.jobs.recognise(OwnFiles(context, links=FILE_LINKS, uploads=[fal.uploaded_blob]).find)
            app.state.gateway, app.state.parts = context, parts
            yield {"gateway": context}
            context.closing.set()

    def parts() -> Parts:
        return app.state.parts

    def needs_key() -> bool:
        return parts().keys.needs_key

    async def ready(_: Request) -> JSONResponse:
        await parts().store.check_writable()
        await parts().jobs.blobs.check_room()
        if not parts().worker.alive:
            raise Unavailable("The worker has stopped.")
        if not parts().dispatcher.alive:
            raise Unavailable("The webhook dispatcher has stopped.")
        if sentence := parts().executor.stalled():
            raise Unavailable(sentence)
        return JSONResponse({"status": "ready"})

    async def receive_provider_webhook(request: Request) -> JSONResponse:
        return await parts().provider_webhooks.receive(request)

    async def acknowledge(job_ids: Sequence[str]) -> None:
        await parts().jobs.acknowledge(job_ids)

    app = Starlette(
        routes=[
            Route("/healthz", _alive),
            Route("/readyz", ready),
            Route(PROVIDER_WEBHOOK_PATH, receive_provider_webhook, methods=["POST"]),
            Mount(native.PATH, native.build(needs_key=needs_key)),
            Mount(fal.PATH, fal.build(needs_key=needs_key)),
            Route(fal.JWKS, fal.public_keys),
            Mount(phaseo.PATH, phaseo.build(needs_key=needs_key)),
            Mount(pictory.PATH, pictory.build(needs_key=needs_key)),
        ],
        middleware=[
            Middleware(RequestIds),
            Middleware(SecurityHeaders),
            Middleware(PathNormalizer),
            Middleware(LoopGuard, shows=SHOWS, default=native.show),
            Middleware(HostGuard, settings=settings),
            Middleware(VendorHosts, settings=settings),
            Middleware(ClientDisconnect, acknowledge=acknowledge),
            *_cors(settings),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # paths are normal here, and a redirect could lose the scheme behind a proxy
    install(app, native.show, mounts=SHOWS)
    return app


async def _alive(_: Request) -> JSONResponse:
    return JSONResponse({"status": "alive"})


def _cors(settings: Settings) -> list[Middleware]:
    origins = allowed_origins(settings)
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_private_network=True,  # a public page may call a gateway on a private network
            expose_headers=EXPOSED_HEADERS,
        )
    ]
