"""The animatic renderer as a provider: local, free and deterministic."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from framegate.domain import Handle, Kind, Order, Preflight, PreparedReference, Request, Role, Target, Update
from framegate.domain.errors import Refused
from framegate.providers.animatic.preflight import preflight_of, style_reference
from framegate.providers.animatic.renderer import Renderer
from framegate.providers.base import Provider
from framegate.storage.private import make_private_folder

SEED_MAX = 2**63 - 1


class Animatic(Provider):
    """Camera moves over the references, rendered into `folder`."""

    name = "animatic"
    resubmittable = True
    poll_seconds = 0.1

    def __init__(self, renderer: Renderer, folder: Path) -> None:
        self.concurrency = renderer.size
        self._renderer = renderer
        self._folder = folder
        make_private_folder(folder)
        for leftover in folder.iterdir():  # of a killed process: its renders start again
            leftover.unlink(missing_ok=True)

    def preflight(
        self,
        request: Request,
        target: Target,
        prepared: Sequence[PreparedReference] = (),  # noqa: ARG002 - every prepared file can be rendered
    ) -> Preflight | None:
        """The shot list, and warnings for what the prompt asks and a camera move cannot show."""
        return preflight_of(request, target)

    async def submit(self, order: Order) -> Handle:
        """Start the render."""
        if order.target.fps * order.target.duration < 2:
            raise Refused("A clip needs at least two frames.")
        output = self._folder / f"{order.job_id}.mp4"
        await self._renderer.start(order.job_id, spec(order, output))
        return {"render": order.job_id}

    async def poll(self, handle: Handle) -> Update:
        """Get the status of the render."""
        return self._renderer.poll(handle["render"])

    async def cancel(self, handle: Handle) -> bool:
        """Stop the render and delete its files."""
        job_id = handle["render"]
        await self._renderer.forget(job_id)
        for unfinished in self._folder.glob(f"*{job_id}*"):
            unfinished.unlink(missing_ok=True)
        return True


class Sandbox(Animatic):
    """Replaces every provider in the sandbox: a free animatic in the requested size and length."""

    name = "sandbox"

    def preflight(
        self,
        request: Request,  # noqa: ARG002
        target: Target,  # noqa: ARG002
        prepared: Sequence[PreparedReference] = (),  # noqa: ARG002
    ) -> Preflight | None:
        """None: the model that it replaces would interpret the prompt differently."""
        return None


def spec(order: Order, output: Path) -> dict[str, Any]:
    """The order as a specification for the renderer."""
    images = [prepared for prepared in order.references if prepared.reference.kind is Kind.IMAGE]
    guides = [prepared for prepared in images if prepared.reference.role is Role.REFERENCE]
    style_index = style_reference([prepared.reference for prepared in guides])
    style = None if style_index is None else guides.pop(style_index)
    videos = [prepared for prepared in order.references if prepared.reference.kind is Kind.VIDEO]
    seed = order.target.seed or 0
    return {
        "prompt": order.request.prompt,
        "references": [prepared.path for prepared in guides],
        "names": [prepared.reference.name for prepared in guides],
        "first_frame": _path(images, Role.FIRST_FRAME),
        "last_frame": _path(images, Role.LAST_FRAME),
        # In the sandbox, a model may take a source video to edit it and not to extend it.
        "source": None if order.target.source_seconds is None else _path(videos, Role.SOURCE),
        "style": style and style.path,
        "audio": order.target.audio,
        "width": order.target.width,
        "height": order.target.height,
        "fps": order.target.fps,
        "frames": order.target.frames,
        "seed": seed if 0 <= seed <= SEED_MAX else _folded(seed),
        "output": str(output),
    }


def _path(references: Sequence[PreparedReference], role: Role) -> str | None:
    return next((prepared.path for prepared in references if prepared.reference.role is role), None)


def _folded(seed: int) -> int:
    """A seed of any size or sign as one that the renderer accepts."""
    return int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:7])
