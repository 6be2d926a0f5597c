"""The pages of the documentation, and the code blocks in them."""

import re

from support.paths import DOCS, ROOT

ROW = re.compile(r"^\| (.+) \|$", re.MULTILINE)


def page(name: str) -> str:
    """Text of a page, by its path below `docs/`."""
    return (DOCS / name).read_text(encoding="utf-8")


def readme() -> str:
    """Text of the README."""
    return (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def example(text: str, language: str = "python") -> str:
    """First code block of one language."""
    return blocks(text, language)[0]


def substituted(code: str, replacements: dict[str, str]) -> str:
    """Code with placeholders replaced; every placeholder must occur in it."""
    for placeholder, value in replacements.items():
        assert placeholder in code
        code = code.replace(placeholder, value)
    return code


def rows(text: str) -> list[list[str]]:
    """Cells of all table rows."""
    return [[cell.strip() for cell in row.split(" | ")] for row in ROW.findall(text)]
