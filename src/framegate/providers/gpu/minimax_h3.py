"""MiniMax H3, which every server takes in a body of its own: what those have in common."""

from framegate.domain import Order, PreparedReference, Role
from framegate.domain.errors import Refused
from framegate.providers.http import has

FPS = 24
KEYFRAMES = {Role.FIRST_FRAME: 0, Role.LAST_FRAME: -1}  # in the order in which they are listed
SHORT_EDGE = 768  # the one that is verified; the sizes by ratio follow from it


def task_of(order: Order) -> str:
    """Which of its tasks the order is. Raises `Refused` for what is none of them."""
    if has(order, *KEYFRAMES) and has(order, Role.REFERENCE):
        raise Refused("H3 is made for frames or for references, not for both in one order.")
    if order.target.fps != FPS:
        raise Refused(f"H3 makes {FPS} frames a second, and {order.target.fps} are asked for.")
    if order.request.negative_prompt is not None:
        raise Refused("H3 reads no negative prompt. Say in the prompt what should be there instead.")
    return "fl2va" if has(order, *KEYFRAMES) else "ref2va" if order.references else "t2va"


def in_order(order: Order) -> list[PreparedReference]:
    """The references as H3 lists them: a first frame before a last one, all else as the client did."""
    indices = {role: place for place, role in enumerate(KEYFRAMES)}
    return sorted(order.references, key=lambda one: indices.get(one.reference.role, 0))
