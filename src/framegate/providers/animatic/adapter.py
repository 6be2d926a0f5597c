"""The animatic engine as a provider: our own renderer, free and repeatable."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from framegate.domain import Handle, Kind, Order, Preflight, PreparedReference, Request, Role, Target, Update
from framegate.domain.errors import Refused
from framegate.providers.animatic import preflight
from framegate.providers.animatic.renderer import Renderer
from framegate.providers.base import Provider

SEED_MAX = 2**63 - 1
STYLE = "style"  # the type of a reference whose colours are wanted, and not what it shows


class Animatic(Provider):
    """Camera moves over the references, rendered in child processes into `folder`."""

    name = "animatic"
    resubmittable = True
    poll_seconds = 0.1

    def __init__(self, renderer: Renderer, folder: Path) -> None:
        self.concurrency = renderer.size
        self._renderer = renderer
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.iterdir():  # of a process that was killed: its renders are made again
            leftover.unlink(missing_ok=True)

    def preflight(
        self,
        request: Request,
        target: Target,
        prepared: Sequence[PreparedReference] = (),  # noqa: ARG002 - it takes whatever is prepared
    ) -> Preflight | None:
        """The shot list, and what the prompt asks and no camera move gives."""
        return preflight.of(request, target)

    async def submit(self, order: Order) -> Handle:
        """Start the render."""
        if order.target.fps * order.target.duration < 2:
            raise Refused("A clip has at least two frames.")
        output = self._folder / f"{order.job_id}.mp4"
        await self._renderer.start(order.job_id, spec(order, output))
        return {"render": order.job_id}

    async def poll(self, handle: Handle) -> Update:
        """Look at the render."""
        return self._renderer.poll(handle["render"])

    async def cancel(self, handle: Handle) -> bool:
        """Kill the render."""
        job_id = handle["render"]
        await self._renderer.forget(job_id)
        for unfinished in self._folder.glob(f"*{job_id}*"):
            unfinished.unlink(missing_ok=True)
        return True


class Sandbox(Animatic):
    """Stands in for every provider: the asked size and length, made by the animatic engine, and nothing spent."""

    name = "sandbox"

    def preflight(
        self,
        request: Request,  # noqa: ARG002
        target: Target,  # noqa: ARG002
        prepared: Sequence[PreparedReference] = (),  # noqa: ARG002
    ) -> Preflight | None:
        """Nothing: its models are other people's, and would make something else of the prompt."""
        return None


def spec(order: Order, output: Path) -> dict[str, Any]:
    """What the engine is asked for, in its own words."""
    pictures = [prepared for prepared in order.references if prepared.reference.kind is Kind.IMAGE]
    guides = [prepared for prepared in pictures if prepared.reference.role is Role.REFERENCE]
    style = next((prepared for prepared in guides if prepared.reference.reference_type == preflight.STYLE), None)
    shots = [prepared for prepared in guides if prepared is not style]
    videos = [prepared for prepared in order.references if prepared.reference.kind is Kind.VIDEO]
    seed = order.target.seed or 0
    return {
        "prompt": order.request.prompt,
        "references": [prepared.path for prepared in shots],
        "names": [prepared.reference.name for prepared in shots],
        "first_frame": _path(pictures, Role.FIRST_FRAME),
        "last_frame": _path(pictures, Role.LAST_FRAME),
        # A model that the sandbox stands in for may take a source to change rather than to go on from.
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


def _path(given: list[PreparedReference], role: Role) -> str | None:
    return next((prepared.path for prepared in given if prepared.reference.role is role), None)


def _folded(seed: int) -> int:
    """Another service's seed, of any size or sign, as one that the engine takes."""
    return int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:7])
