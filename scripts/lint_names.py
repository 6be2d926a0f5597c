"""Lint of names: at most 1 % of the bound names are words that do not say what the value is.

    python scripts/lint_names.py src/framegate

A variable called `payload` or `stored_blob` says what it holds; one called `told` or `kept` only says that something
happened to it. The words below are fine now and then, so the lint limits their share instead of rejecting each.
"""

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

# fmt: off
VAGUE_WORDS = frozenset({
    "asked", "called", "ended", "found", "given", "gone", "heard", "held", "here", "kept", "known", "left",
    "made", "one", "other", "others", "own", "rest", "said", "seen", "shown", "taken", "there", "told",
    "tried", "wanted", "way", "ways", "what", "where", "who", "whole",
})
# fmt: on
SHARE_MAX = 0.01


def python_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Every Python file at or under the paths, in a stable order."""
    for path in paths:
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names that the code binds, with their lines: variables, fields and parameters."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno


def vague_share(counts: Counter[str]) -> float:
    """Share of the bindings whose whole name is a vague word, from 0 to 1."""
    total = counts.total()
    return sum(counts[word] for word in VAGUE_WORDS) / total if total else 0.0


def main(arguments: list[str]) -> int:
    """Print the share and each vague binding; return 1 if the share is above the limit."""
    counts: Counter[str] = Counter()
    findings: list[str] = []
    for file in python_files(map(Path, arguments)):
        for name, line in bound_names(ast.parse(file.read_text(encoding="utf-8"), str(file))):
            counts[name] += 1
            if name in VAGUE_WORDS:
                findings.append(f"{file}:{line}: vague name: {name}")
    share = vague_share(counts)
    if share > SHARE_MAX:
        print("\n".join(findings))
    print(f"{len(findings)} of {counts.total()} names are vague: {share:.2%} (limit {SHARE_MAX:.0%})")
    return int(share > SHARE_MAX)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["src/framegate"]))
