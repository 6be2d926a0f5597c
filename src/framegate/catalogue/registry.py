"""All the models, found by their ids and by the names that other services give them."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from framegate.catalogue.loading import BadRow, load, load_ended
from framegate.catalogue.model import EndedModel, Model


class Catalogue:
    """An unchanging set of models. Names are matched whole and by case, never in part.

    A loop over it gives those that are still made; `models` are all that have a row, and `ended` those without.
    """

    __slots__ = ("_by_name", "_ended_by_name", "_open", "ended", "models")

    def __init__(self, models: Iterable[Model], ended: Iterable[EndedModel] = ()) -> None:
        self.models: tuple[Model, ...] = tuple(models)
        self.ended: tuple[EndedModel, ...] = tuple(ended)
        self._open = tuple(model for model in self.models if model.open_offers)
        self._ended_by_name = {name: gone for gone in self.ended for name in (gone.id, *gone.aliases)}
        by_name: dict[str, Model] = {}
        for model in self.models:
            for name in model.names:
                if by_name.setdefault(name, model) is not model:
                    raise BadRow(f"{model.id} and {by_name[name].id} both answer to {name}")
        if both := by_name.keys() & self._ended_by_name.keys():
            raise BadRow(f"{', '.join(sorted(both))}: both made and ended")
        self._by_name: Mapping[str, Model] = MappingProxyType(by_name)

    def get(self, name: str) -> Model | None:
        """The model of that id, dated slug, or service's own id; `None` if there is none."""
        return self._by_name.get(name)

    def retired(self, name: str) -> EndedModel | None:
        """The model of that name among those that nobody makes any more."""
        return self._ended_by_name.get(name)

    def suggest(self, name: str, *, most: int = 3) -> tuple[str, ...]:
        """The ids of models whose names look most like the one asked for."""
        lowered = {known.lower(): model.id for known, model in self._by_name.items() if model.open_offers}
        close = get_close_matches(name.lower()[:200], lowered, n=most * 2, cutoff=0.5)
        return tuple(dict.fromkeys(lowered[match] for match in close))[:most]

    def __iter__(self) -> Iterator[Model]:
        return iter(self._open)

    def __len__(self) -> int:
        return len(self._open)


def with_rows(book: Catalogue, folder: Path) -> Catalogue:
    """The catalogue with the rows of a folder's TOML files, whose models take the place of those of the same id.

    Raises `BadRow`, naming the file, for one that cannot be read or is not as it must be.
    """
    models = {model.id: model for model in book.models}
    if not folder.is_dir():
        raise BadRow(f"{folder} is no folder")
    for file in sorted(folder.glob("*.toml")):
        try:
            models |= {model.id: model for model in load(file.read_text("utf-8"))}
        except (BadRow, OSError, ValueError) as error:
            raise BadRow(f"{file.name}: {error}") from error
    return Catalogue(models.values(), book.ended)


@cache
def builtin() -> Catalogue:
    """The models that Framegate knows, `framegate/animatic` first. Read once."""
    rows = sorted(
        (path for path in files("framegate.catalogue").joinpath("data").iterdir()), key=lambda path: path.name
    )
    texts = {path.name: path.read_text("utf-8") for path in rows if path.name.endswith(".toml")}
    ended = load_ended(texts.pop("ended.toml"))
    models = [model for text in texts.values() for model in load(text)]
    return Catalogue(sorted(models, key=lambda model: model.id != "framegate/animatic"), ended)
