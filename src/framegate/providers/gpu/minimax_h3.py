"""MiniMax H3: what its orders have in common on every server. Each server has a request format of its own for it."""

from framegate.domain import Order, PreparedReference, Role
from framegate.domain.errors import Refused
from framegate.providers.http import has_reference

FPS = 24
KEYFRAMES = {Role.FIRST_FRAME: 0, Role.LAST_FRAME: -1}  # frame indexes, in the order in which they are sent
SHORT_EDGE = 768  # the only verified one; the sizes by aspect ratio follow from it


def task_of(order: Order) -> str:
    """The model's task for an order. Raises `Refused` if it has none."""
    if has_reference(order, *KEYFRAMES) and has_reference(order, Role.REFERENCE):
        raise Refused("H3 accepts either frames or references in one order, not both.")
    if order.target.fps != FPS:
        raise Refused(f"H3 makes {FPS} frames per second, not {order.target.fps}.")
    if order.request.negative_prompt is not None:
        raise Refused("H3 has no negative prompt. Describe in the prompt what to show instead.")
    return "fl2va" if has_reference(order, *KEYFRAMES) else "ref2va" if order.references else "t2va"


def sorted_references(order: Order) -> list[PreparedReference]:
    """The references in the order in which H3 expects them: a first frame before a last one, others as requested."""
    positions = {role: position for position, role in enumerate(KEYFRAMES)}
    return sorted(order.references, key=lambda prepared: positions.get(prepared.reference.role, 0))
