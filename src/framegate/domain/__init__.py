"""The nouns that every part of Framegate speaks: frozen values, no behaviour beyond what they are."""

from framegate.domain.jobs import Event, Job, Output, State, Status, Tried
from framegate.domain.keys import BudgetPeriod, Key, Scope
from framegate.domain.orders import Blob, Done, Failed, Fault, Handle, Lost, Made, Order, Prepared, Running, Update
from framegate.domain.requests import (
    Adjustment,
    Estimate,
    Foresight,
    Handling,
    Kind,
    Problem,
    Reference,
    Request,
    Role,
    Routing,
    Target,
    Verdict,
)
from framegate.domain.webhooks import Attempt, Delivery, DeliveryState

__all__ = [
    "Adjustment",
    "Attempt",
    "Blob",
    "BudgetPeriod",
    "Delivery",
    "DeliveryState",
    "Done",
    "Estimate",
    "Event",
    "Failed",
    "Fault",
    "Foresight",
    "Handle",
    "Handling",
    "Job",
    "Key",
    "Kind",
    "Lost",
    "Made",
    "Order",
    "Output",
    "Prepared",
    "Problem",
    "Reference",
    "Request",
    "Role",
    "Routing",
    "Running",
    "Scope",
    "State",
    "Status",
    "Target",
    "Tried",
    "Update",
    "Verdict",
]
