"""The catalogue of models: what each supports and costs, and the validation of requests."""

from framegate.catalogue.check import check, check_offers
from framegate.catalogue.codes import PROBLEMS, WARNINGS
from framegate.catalogue.fit import Fit, RequestFits, fits
from framegate.catalogue.loading import InvalidEntry, load
from framegate.catalogue.model import (
    ClipLimits,
    Count,
    Defaults,
    DurationRule,
    Ended,
    EndedModel,
    ImageLimits,
    Limits,
    Model,
    Offer,
    Price,
    PromptLimits,
    Source,
    Total,
)
from framegate.catalogue.pricing import estimate
from framegate.catalogue.public_record import record
from framegate.catalogue.registry import Catalogue, builtin, with_entries

__all__ = [
    "PROBLEMS",
    "WARNINGS",
    "Catalogue",
    "ClipLimits",
    "Count",
    "Defaults",
    "DurationRule",
    "Ended",
    "EndedModel",
    "Fit",
    "ImageLimits",
    "InvalidEntry",
    "Limits",
    "Model",
    "Offer",
    "Price",
    "PromptLimits",
    "RequestFits",
    "Source",
    "Total",
    "builtin",
    "check",
    "check_offers",
    "estimate",
    "fits",
    "load",
    "record",
    "with_entries",
]
