"""Lint of prose: plain words where users and newcomers read.

    python scripts/lint_prose.py src README.md docs

In Python files it reads the first line of each docstring, the whole docstring of a command, the texts of options,
fields and routes, log messages, and the messages of exceptions and `Problem`s. In Markdown files it reads everything
but code. Prints `file:line: word: text` for each finding and returns 1 if there is any.
"""

import ast
import builtins
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

# Words that hide the subject of a sentence, archaic words, and a wrong name of the product.
EVERYWHERE = """
    whoever, whosoever, whomever, whatsoever, whence, whither, whereby, wherein, whereof, whereupon, thereof,
    therein, thereupon, thereby, hitherto, herein, hereby, heretofore, lest, nought, shall, unto, nobody, for good,
    goes on, go on from, as it stands, as they stand, by which, comes to, is told(?! apart), are told(?! apart), is
    had, be had, of one's own, of ours, of theirs, in the place of, in the stead of, made no more, put down until,
    again for each, at most so many, not known here, gates?
"""
IN_MESSAGES = "here, now"  # a message names the place and the time, or leaves them out
TEXT_ARGUMENTS = frozenset({"help", "epilog", "description", "summary", "message"})
LOG_METHODS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
FENCE = re.compile(r"^\s*(```|~~~)")
CODE = re.compile(r"`[^`]*`|\]\([^)]*\)|<!--.*?-->")

Node = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Text(NamedTuple):
    """A piece of text that a person reads."""

    line: int
    text: str
    is_message: bool = False


def pattern(words: str) -> re.Pattern[str]:
    """Match any of the comma-separated words as a whole word, in any case, over any white space."""
    choices = "|".join(r"\s+".join(word.split()) for word in words.split(","))
    return re.compile(rf"(?<![\w/.-])(?:{choices})(?![\w/-]|\.\w)", re.IGNORECASE)


WORDS = pattern(EVERYWHERE)
MESSAGE_WORDS = pattern(f"{EVERYWHERE}, {IN_MESSAGES}")


def exception_classes(trees: Iterable[ast.AST]) -> frozenset[str]:
    """Names of the exception classes: the builtin ones and those derived from them in the trees."""
    bases = {
        node.name: {ast.unparse(base).rsplit(".", 1)[-1] for base in node.bases}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    builtin = (
        name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)
    )
    names = set(builtin)
    while derived := {name for name, parents in bases.items() if parents & names} - names:
        names |= derived
    return frozenset(names)


def python_texts(tree: ast.AST, exceptions: frozenset[str]) -> Iterator[Text]:
    """The texts of a module that users and newcomers read."""
    for node in ast.walk(tree):
        if isinstance(node, Node):
            yield from _docstring(node, exceptions)
        elif isinstance(node, ast.Call):
            yield from _call(node, exceptions)


def _docstring(node: Node, exceptions: frozenset[str]) -> Iterator[Text]:
    text = ast.get_docstring(node)
    if not text:
        return
    line = node.body[0].lineno
    is_message = isinstance(node, ast.ClassDef) and node.name in exceptions
    lines = text.splitlines() if _is_command(node) else text.splitlines()[:1]
    for offset, content in enumerate(lines):
        yield Text(line + offset, content, is_message)


def _is_command(node: Node) -> bool:
    """Whether the function is a command, whose whole docstring is shown by --help."""
    if isinstance(node, ast.Module | ast.ClassDef):
        return False
    return any(re.match(r"\w+\.(command|callback)\b", ast.unparse(decorator)) for decorator in node.decorator_list)


def _call(node: ast.Call, exceptions: frozenset[str]) -> Iterator[Text]:
    function = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    is_log = function in LOG_METHODS and "log" in ast.unparse(getattr(node.func, "value", node.func)).lower()
    if function in exceptions or function == "Problem" or is_log:
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        yield from (text for argument in arguments for text in _strings(argument, is_message=True))
        return
    for keyword in node.keywords:
        if keyword.arg in TEXT_ARGUMENTS:
            yield from _strings(keyword.value, is_message=keyword.arg == "message")


def _strings(node: ast.AST, *, is_message: bool) -> Iterator[Text]:
    """String literals of an argument: f-strings, choices and joined ones too, but not those of calls inside it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield Text(node.lineno, node.value, is_message)
    elif isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        yield Text(node.lineno, "".join(map(str, parts)), is_message)
    elif not isinstance(node, ast.Call | ast.Subscript | ast.Compare):
        for child in ast.iter_child_nodes(node):
            yield from _strings(child, is_message=is_message)


def markdown_texts(content: str) -> Iterator[Text]:
    """The lines of a Markdown file outside code blocks."""
    is_code = False
    for number, line in enumerate(content.splitlines(), 1):
        if FENCE.match(line):
            is_code = not is_code
        elif not is_code:
            yield Text(number, line)


def findings(files: Iterable[Path]) -> Iterator[str]:
    """Each banned word as `file:line: word: text`."""
    contents = {file: file.read_text(encoding="utf-8") for file in files}
    trees = {file: ast.parse(content, str(file)) for file, content in contents.items() if file.suffix == ".py"}
    exceptions = exception_classes(trees.values())
    for file, content in contents.items():
        texts = python_texts(trees[file], exceptions) if file in trees else markdown_texts(content)
        for text in texts:
            words = MESSAGE_WORDS if text.is_message else WORDS
            for match in words.finditer(CODE.sub("", text.text)):
                yield f"{file}:{text.line}: {match[0]}: {text.text.strip()}"


def main(arguments: list[str]) -> int:
    """Print every finding; return 1 if there is any."""
    files = [
        file
        for path in map(Path, arguments)
        for file in (sorted(path.rglob("*")) if path.is_dir() else [path])
        if file.suffix in {".py", ".md"}
    ]
    lines = list(dict.fromkeys(findings(files)))
    print(*lines, sep="\n") if lines else None
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["src", "README.md", "docs"]))
