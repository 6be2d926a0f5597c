"""All known models, by their ids and by the names that other services give them."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from framegate.catalogue.loading import InvalidEntry, load, load_ended
from framegate.catalogue.model import EndedModel, Model

SUGGESTIONS_MAX = 3
SUGGESTION_SIMILARITY_MIN = 0.5
NAME_CHARS_MAX = 200  # of a client's name that is compared with the known ones


class Catalogue:
    """An immutable set of models. Names match exactly, including case.

    Iteration yields the models with an open offer; `models` are all that have an entry, `ended` those without one.
    """

    __slots__ = ("_by_name", "_ended_by_name", "_open", "ended", "models")

    def __init__(self, models: Iterable[Model], ended: Iterable[EndedModel] = ()) -> None:
        self.models: tuple[Model, ...] = tuple(models)
        self.ended: tuple[EndedModel, ...] = tuple(ended)
        self._open = tuple(model for model in self.models if model.open_offers)
        self._ended_by_name = {name: model for model in self.ended for name in (model.id, *model.aliases)}
        by_name: dict[str, Model] = {}
        for model in self.models:
            for name in model.names:
                if by_name.setdefault(name, model) is not model:
                    raise InvalidEntry(f"{model.id} and {by_name[name].id} both have the name {name}")
        if both := by_name.keys() & self._ended_by_name.keys():
            raise InvalidEntry(f"{', '.join(sorted(both))}: both a current and an ended model")
        self._by_name: Mapping[str, Model] = MappingProxyType(by_name)

    def get(self, name: str) -> Model | None:
        """The model of that id, dated slug, or service's own id; None if there is none."""
        return self._by_name.get(name)

    def retired(self, name: str) -> EndedModel | None:
        """The model of that name among those that no provider offers any more."""
        return self._ended_by_name.get(name)

    def suggest(self, name: str, *, limit: int = SUGGESTIONS_MAX) -> tuple[str, ...]:
        """The ids of the models with the most similar names."""
        ids = {known_name.lower(): model.id for known_name, model in self._by_name.items() if model.open_offers}
        text = name.lower()[:NAME_CHARS_MAX]
        close = get_close_matches(text, ids, n=limit * 2, cutoff=SUGGESTION_SIMILARITY_MIN)
        return tuple(dict.fromkeys(ids[match] for match in close))[:limit]

    def __iter__(self) -> Iterator[Model]:
        return iter(self._open)

    def __len__(self) -> int:
        return len(self._open)


def with_entries(catalogue: Catalogue, folder: Path) -> Catalogue:
    """The catalogue with the entries of a folder's TOML files, which replace those of the same id.

    Raises `InvalidEntry`, naming the file, for one that cannot be read or is invalid.
    """
    models = {model.id: model for model in catalogue.models}
    if not folder.is_dir():
        raise InvalidEntry(f"{folder} is not a folder")
    for file in sorted(folder.glob("*.toml")):
        try:
            models |= {model.id: model for model in load(file.read_text("utf-8"))}
        except (InvalidEntry, OSError, ValueError) as error:
            raise InvalidEntry(f"{file.name}: {error}") from error
    return Catalogue(models.values(), catalogue.ended)


@cache
def builtin() -> Catalogue:
    """The models that Framegate comes with, `framegate/animatic` first."""
    folder = files("framegate.catalogue").joinpath("data")
    paths = sorted(folder.iterdir(), key=lambda path: path.name)
    texts = {path.name: path.read_text("utf-8") for path in paths if path.name.endswith(".toml")}
    ended = load_ended(texts.pop("ended.toml"))
    models = [model for text in texts.values() for model in load(text)]
    return Catalogue(sorted(models, key=lambda model: model.id != "framegate/animatic"), ended)
