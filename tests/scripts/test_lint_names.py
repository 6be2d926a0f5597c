"""`scripts/lint_names.py` limits the share of names that do not say what a value is."""

import ast
from pathlib import Path

import pytest
from lint_names import VAGUE_WORDS, bound_names, main


def test_the_list_has_32_words() -> None:
    assert len(VAGUE_WORDS) == 32


def test_variables_fields_and_parameters_are_counted_and_uses_are_not() -> None:
    tree = ast.parse(
        "class Job:\n    state: str = READY\ndef show(told, *rest, **named):\n    text = [x for x in told]\n"
    )

    assert sorted(name for name, _ in bound_names(tree)) == ["named", "rest", "state", "text", "told", "x"]


@pytest.mark.parametrize(("vague", "code"), [(1, 0), (2, 1)])
def test_one_vague_name_in_a_hundred_is_the_limit(
    vague: int, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["told"] * vague + ["payload"] * (100 - vague)
    (tmp_path / "module.py").write_text("".join(f"{name} = 1\n" for name in names), encoding="utf-8")

    assert main([str(tmp_path)]) == code
    assert ("module.py:2: vague name: told" in capsys.readouterr().out) is bool(code)
