"""`scripts/measure.py` counts what the structure of a package is judged by."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from measure import DIALECTS, PROVIDERS, Package, cycles, main

CONTRACTS = """
[[tool.importlinter.contracts]]
name = "Layers"
type = "layers"
containers = ["shop"]
layers = ["api", "(store) | orders"]
exhaustive_ignores = ["tools"]
"""


def package(folder: Path, files: Mapping[str, str]) -> Package:
    """A package of these files in a folder of its own."""
    root = folder / "shop"
    for name, source in {"__init__.py": "", **files}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
    return Package(root)


def test_entries_are_folders_with_code_and_modules_without_dunders(tmp_path: Path) -> None:
    shop = package(tmp_path, {"__main__.py": "", "orders.py": "", "api/__init__.py": "", "data/prices.toml": ""})

    assert shop.entries == ("api", "orders")


def test_the_length_of_a_function_leaves_its_docstring_out(tmp_path: Path) -> None:
    shop = package(
        tmp_path,
        {"orders.py": 'def pay():\n    """Pay.\n\n    Once.\n    """\n    return 1\n\n\nasync def ask() -> int: ...\n'},
    )

    assert shop.function_lengths == [1, 2]


def test_a_cycle_is_found_through_relative_imports_and_functions(tmp_path: Path) -> None:
    shop = package(
        tmp_path,
        {
            "api/__init__.py": "from ..orders import pay",
            "orders.py": "from shop.store import rows",
            "store/__init__.py": "def rows():\n    from shop import api",
        },
    )

    assert cycles(shop.imports) == [["shop.api", "shop.orders", "shop.store"]]


def test_an_import_for_type_checkers_makes_no_cycle(tmp_path: Path) -> None:
    shop = package(
        tmp_path,
        {"api.py": "import shop.orders", "orders.py": "if TYPE_CHECKING:\n    from shop.api import Request"},
    )

    assert cycles(shop.imports) == []


def test_root_entries_that_no_layer_covers_are_found(tmp_path: Path) -> None:
    files = {"api.py": "", "store.py": "", "orders.py": "", "tools.py": "", "helpers.py": ""}
    (tmp_path / "pyproject.toml").write_text(CONTRACTS, encoding="utf-8")
    shop = Package(package(tmp_path, files).root, contracts=tmp_path / "pyproject.toml")

    assert shop.unlayered() == ["helpers"]


def test_without_contracts_nothing_is_said_of_layers(tmp_path: Path) -> None:
    assert package(tmp_path, {"api.py": ""}).unlayered() is None


def test_adapters_are_modules_or_folders_apart_from_what_they_share(tmp_path: Path) -> None:
    shop = package(
        tmp_path,
        {
            "providers/__init__.py": "\n" * 9,
            "providers/base.py": "\n" * 9,
            "providers/one.py": "\n" * 3,
            "providers/two/adapter.py": "\n" * 4,
            "providers/two/input.py": "\n" * 5,
            "api/dialects/native/routes.py": "\n" * 2,
        },
    )

    assert shop.adapters(PROVIDERS) == {"one": 3, "two": 9}
    assert shop.adapters(DIALECTS) == {"native": 2}


def test_the_table_has_a_column_for_each_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = package(tmp_path, {"orders.py": "def pay(told):\n    paid = 1\n"}).root

    assert main([str(root), str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "|  | shop | shop |"
    assert "| names bound to a vague word | 50.0% of 2 | 50.0% of 2 |" in lines
