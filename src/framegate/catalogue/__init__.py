"""The models that Framegate knows, what a request may ask of each, and what it costs."""

from framegate.catalogue.check import check, check_offers
from framegate.catalogue.codes import PROBLEMS, WARNINGS
from framegate.catalogue.fit import Fit, RequestFits, fits
from framegate.catalogue.loading import BadRow, load
from framegate.catalogue.model import (
    ClipLimits,
    Count,
    Defaults,
    Ended,
    EndedModel,
    ImageLimits,
    Limits,
    Model,
    Offer,
    Price,
    PromptLimits,
    Rule,
    Source,
    Total,
)
from framegate.catalogue.pricing import estimate
from framegate.catalogue.public_record import record
from framegate.catalogue.registry import Catalogue, builtin, with_rows

__all__ = [
    "PROBLEMS",
    "WARNINGS",
    "BadRow",
    "Catalogue",
    "ClipLimits",
    "Count",
    "Defaults",
    "Ended",
    "EndedModel",
    "Fit",
    "ImageLimits",
    "Limits",
    "Model",
    "Offer",
    "Price",
    "PromptLimits",
    "RequestFits",
    "Rule",
    "Source",
    "Total",
    "builtin",
    "check",
    "check_offers",
    "estimate",
    "fits",
    "load",
    "record",
    "with_rows",
]
