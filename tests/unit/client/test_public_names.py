"""The public names of the package: imported on first use, and former names with a warning."""

import subprocess
import sys

import pytest

import framegate
from framegate import client, domain
from framegate.domain import errors


@pytest.mark.parametrize("name", framegate.__all__)
def test_every_public_name_can_be_imported(name: str):
    assert getattr(framegate, name) is not None


def test_the_public_names_are_exactly_those_that_can_be_imported():
    candidates = {*vars(client), *vars(domain), *vars(errors)} - vars(framegate).keys()
    importable = {name for name in candidates if hasattr(framegate, name)}

    assert importable | {"__version__"} == set(framegate.__all__)
    assert set(framegate.__all__) <= set(dir(framegate))
    assert sorted(framegate.__all__) == framegate.__all__


def test_every_name_of_the_client_is_public_at_the_top_level():
    assert set(client.__all__) <= set(framegate.__all__)
    assert [name for name in client.__all__ if getattr(framegate, name) is not getattr(client, name)] == []


def test_a_star_import_gives_the_public_names():
    namespace: dict[str, object] = {}
    exec("from framegate import *", namespace)

    assert namespace.keys() - {"__builtins__"} == set(framegate.__all__)


def test_importing_the_package_loads_neither_the_http_library_nor_pydantic():
    code = "import framegate, sys; print([name for name in ('httpx2', 'pydantic', 'fastapi') if name in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_importing_the_sdk_does_not_load_pydantic():
    code = "import framegate.client, sys; print([name for name in ('pydantic', 'fastapi') if name in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Framgate'"):
        framegate.Framgate  # noqa: B018 # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match="has no attribute 'Framgate'"):
        client.Framgate  # noqa: B018 # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("old", "new"), [("Gate", "Framegate"), ("AsyncGate", "AsyncFramegate"), ("GateError", "FramegateError")]
)
def test_a_former_name_of_the_package_works_with_a_warning(old: str, new: str):
    with pytest.warns(DeprecationWarning, match=rf"^framegate\.{old} is now framegate\.{new}$") as caught:
        value = getattr(framegate, old)

    assert value is getattr(framegate, new)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Gate", "Framegate"),
        ("AsyncGate", "AsyncFramegate"),
        ("Record", "ModelRecord"),
        ("Source", "ReferenceSource"),
    ],
)
def test_a_former_name_of_the_client_works_with_a_warning(old: str, new: str):
    expected = rf"^framegate\.client\.{old} is now framegate\.client\.{new}$"
    with pytest.warns(DeprecationWarning, match=expected) as caught:
        value = getattr(client, old)

    assert value is getattr(client, new)
    assert caught[0].filename == __file__
