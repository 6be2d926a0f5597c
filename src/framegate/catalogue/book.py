"""All the models, found by their ids and by the names that other services give them."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from framegate.catalogue.load import BadRow, load
from framegate.catalogue.model import Model


class Catalogue:
    """An unchanging set of models. Names are matched whole and by case, never in part."""

    __slots__ = ("_by_name", "models")

    def __init__(self, models: Iterable[Model]) -> None:
        self.models: tuple[Model, ...] = tuple(models)
        by_name: dict[str, Model] = {}
        for model in self.models:
            for name in model.names:
                if by_name.setdefault(name, model) is not model:
                    raise BadRow(f"{model.id} and {by_name[name].id} both answer to {name}")
        self._by_name: Mapping[str, Model] = MappingProxyType(by_name)

    def get(self, name: str) -> Model | None:
        """The model of that id, dated slug, or service's own id; `None` if there is none."""
        return self._by_name.get(name)

    def like(self, name: str, *, most: int = 3) -> tuple[str, ...]:
        """The ids of models whose names look most like the one asked for."""
        lowered = {known.lower(): model.id for known, model in self._by_name.items()}
        close = get_close_matches(name.lower()[:200], lowered, n=most * 2, cutoff=0.5)
        return tuple(dict.fromkeys(lowered[match] for match in close))[:most]

    def __iter__(self) -> Iterator[Model]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)


@cache
def builtin() -> Catalogue:
    """The models that Framegate knows, `framegate/animatic` first. Read once."""
    rows = sorted(
        (path for path in files("framegate.catalogue").joinpath("data").iterdir()), key=lambda path: path.name
    )
    models = [model for path in rows if path.name.endswith(".toml") for model in load(path.read_text("utf-8"))]
    return Catalogue(sorted(models, key=lambda model: model.id != "framegate/animatic"))
