"""The models that Framegate knows, what a request may ask of each, and what it costs."""

from framegate.catalogue.book import Catalogue, builtin, with_rows
from framegate.catalogue.check import alternatives, check
from framegate.catalogue.codes import PROBLEMS, WARNINGS
from framegate.catalogue.estimate import estimate
from framegate.catalogue.fit import Fit, fits
from framegate.catalogue.load import BadRow, load
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
from framegate.catalogue.record import record

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
    "Rule",
    "Source",
    "Total",
    "alternatives",
    "builtin",
    "check",
    "estimate",
    "fits",
    "load",
    "record",
    "with_rows",
]
