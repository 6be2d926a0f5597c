"""What the tests of several parts share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from serving import ServedGate, served


@pytest.fixture(scope="session")
def served_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGate]:
    """One real gate for many tests: with the key `sk-test`, and our own renderer."""
    folder = tmp_path_factory.mktemp("gate")
    with served(folder / "data", folder / "log", key="sk-test") as gate:
        yield gate


@pytest.fixture
def serve_gate(tmp_path: Path) -> Iterator[Callable[..., ServedGate]]:
    """Start a gate with settings of one's own; it is stopped after the test."""
    with ExitStack() as stack:

        def start(*, key: str = "sk-test", data_dir: Path | None = None, **settings: object) -> ServedGate:
            log = tmp_path / f"log-{len(list(tmp_path.glob('log-*')))}"
            return stack.enter_context(served(data_dir or tmp_path / "data", log, key=key, **settings))

        yield start


@pytest.fixture(scope="session")
def photos() -> tuple[Path, ...]:
    """Real photographs."""
    return tuple(sorted((Path(__file__).parent / "photos").glob("*.[jp][pn]g")))
