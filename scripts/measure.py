"""Structure of Python packages in figures, as a Markdown table.

    python scripts/measure.py src/framegate PATH_TO/httpx PATH_TO/svcs

Every package is measured by the same code. Figures that need Framegate's layout or its import contracts read "-" for a
package that has none.
"""

import argparse
import ast
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

from lint_names import bound_names, vague_share

NONE = "-"
# Folder of the adapters of one kind, and what in it is shared by all of them.
PROVIDERS = ("providers", frozenset({"base", "registry", "http", "references", "health"}))
DIALECTS = ("api/dialects", frozenset[str]())

Graph = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Package:
    """One package folder, parsed once."""

    root: Path
    contracts: Path | None = None  # the pyproject.toml with its import contracts

    @property
    def name(self) -> str:
        return self.root.name

    @cached_property
    def sources(self) -> Mapping[str, tuple[Path, str, ast.Module]]:
        """Path, text and syntax tree of each module, by dotted name."""
        sources: dict[str, tuple[Path, str, ast.Module]] = {}
        for file in sorted(self.root.rglob("*.py")):
            parts = (self.name, *file.relative_to(self.root).with_suffix("").parts)
            text = file.read_text(encoding="utf-8")
            sources[".".join(parts).removesuffix(".__init__")] = (file, text, ast.parse(text, str(file)))
        return sources

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """Folders with Python files and loose modules at the root, without dunders."""
        folders = (path.name for path in self.root.iterdir() if path.is_dir() and any(path.rglob("*.py")))
        modules = (path.stem for path in self.root.glob("*.py"))
        return tuple(sorted(name for name in (*folders, *modules) if not name.startswith("__")))

    @cached_property
    def function_lengths(self) -> list[int]:
        """Lines of each function and method without its docstring."""
        nodes = (node for _, _, tree in self.sources.values() for node in ast.walk(tree))
        return sorted(_length(node) for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    @cached_property
    def name_counts(self) -> Counter[str]:
        return Counter(name for _, _, tree in self.sources.values() for name, _ in bound_names(tree))

    @cached_property
    def imports(self) -> Graph:
        """The modules of the package that each module imports, apart from imports for type checkers only."""
        return {
            name: frozenset(self._imported(name, file.name == "__init__.py", tree))
            for name, (file, _, tree) in self.sources.items()
        }

    def _imported(self, module: str, is_package: bool, tree: ast.Module) -> Iterator[str]:
        for node in _runtime_nodes(tree):
            for target in _targets(node, module if is_package else module.rpartition(".")[0]):
                parts = target.split(".")
                candidates = (".".join(parts[:size]) for size in range(len(parts), 0, -1))
                if (imported := next((name for name in candidates if name in self.sources), module)) != module:
                    yield imported

    def unlayered(self) -> list[str] | None:
        """Root entries that no layer contract covers; None without such a contract."""
        if self.contracts is None:
            return None
        tool = tomllib.loads(self.contracts.read_text(encoding="utf-8")).get("tool", {})
        contracts: list[dict[str, Any]] = tool.get("importlinter", {}).get("contracts", [])
        layers = [
            contract for contract in contracts if contract["type"] == "layers" and self.name in contract["containers"]
        ]
        names = {
            name.strip(" ()")
            for contract in layers
            for line in (*contract["layers"], *contract.get("exhaustive_ignores", ()))
            for name in line.replace(":", "|").split("|")
        }
        return [entry for entry in self.entries if entry not in names] if layers else None

    def adapters(self, family: tuple[str, frozenset[str]]) -> Mapping[str, int]:
        """Lines of each adapter in a folder: a module, or all modules of a folder."""
        folder, shared = family
        lines: Counter[str] = Counter()
        for file, text, _ in self.sources.values():
            if (self.root / folder) in file.parents:
                lines[file.relative_to(self.root / folder).parts[0].removesuffix(".py")] += len(text.splitlines())
        return {name: count for name, count in lines.items() if name not in shared and not name.startswith("__")}


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    docstring = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(node) is not None else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def _runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from _runtime_nodes(child)


def _targets(node: ast.AST, package: str) -> Iterator[str]:
    """Dotted names that an import statement in `package` names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        origin = ".".join((*parents, *(node.module or "").split("."))).strip(".")
        yield from (f"{origin}.{alias.name}" for alias in node.names)


def cycles(graph: Graph) -> list[list[str]]:
    """Groups of modules that import one another, directly or through others (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for imported in graph[module]:
            if imported not in order:
                visit(imported)
            if imported in stack:
                lowest[module] = min(lowest[module], lowest[imported])
        if lowest[module] == order[module]:
            start = stack.index(module)
            groups.append(sorted(stack[start:]))
            del stack[start:]

    for module in graph:
        if module not in order:
            visit(module)
    return [group for group in groups if len(group) > 1]


def _entries(package: Package) -> str:
    return str(len(package.entries))


def _unlayered(package: Package) -> str:
    names = package.unlayered()
    return NONE if names is None else str(len(names))


def _cycles(package: Package) -> str:
    groups = cycles(package.imports)
    return f"{len(groups)} ({sum(map(len, groups))} modules)" if groups else "0"


def _median(package: Package) -> str:
    return f"{median(package.function_lengths):g}" if package.function_lengths else NONE


def _p95(package: Package) -> str:
    lengths = package.function_lengths
    return str(lengths[ceil(0.95 * len(lengths)) - 1]) if lengths else NONE


def _longest_function(package: Package) -> str:
    return str(max(package.function_lengths, default=NONE))


def _vague(package: Package) -> str:
    return f"{vague_share(package.name_counts):.1%} of {package.name_counts.total():,}"


def _longest_file(package: Package) -> str:
    file, text, _ = max(package.sources.values(), key=lambda source: source[1].count("\n"))
    return f"{len(text.splitlines()):,} (`{file.relative_to(package.root)}`)"


def _adapters(family: tuple[str, frozenset[str]]) -> Callable[[Package], str]:
    def figure(package: Package) -> str:
        lines = package.adapters(family)
        if not lines:
            return NONE
        longest = max(lines, key=lambda name: lines[name])
        return f"median {median(lines.values()):g}, longest {lines[longest]:,} (`{longest}`)"

    return figure


MEASURES: Mapping[str, Callable[[Package], str]] = {
    "files": lambda package: f"{len(package.sources):,}",
    "lines": lambda package: f"{sum(len(text.splitlines()) for _, text, _ in package.sources.values()):,}",
    "entries at the package root": _entries,
    "root entries outside the import layers": _unlayered,
    "import cycles": _cycles,
    "function length, median (lines)": _median,
    "function length, 95th percentile": _p95,
    "longest function": _longest_function,
    "names bound to a vague word": _vague,
    "longest file (lines)": _longest_file,
    "lines per provider": _adapters(PROVIDERS),
    "lines per dialect": _adapters(DIALECTS),
}


def table(packages: list[Package]) -> str:
    """The measures as a Markdown table, one column for each package."""
    rows = [
        ["", *(package.name for package in packages)],
        ["---", *("--:" for _ in packages)],
        *([label, *(figure(package) for package in packages)] for label, figure in MEASURES.items()),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(arguments: list[str]) -> int:
    """Print the table; with --list, also the findings behind the figures of the first package."""
    parser = argparse.ArgumentParser(description="Print the structure of Python packages in figures.")
    parser.add_argument("packages", nargs="+", type=Path, help="package folders, such as src/framegate")
    parser.add_argument("--list", action="store_true", help="also list cycles, unlayered entries and adapters")
    options = parser.parse_args(arguments)
    packages = [Package(path.resolve(), _contracts(path.resolve())) for path in options.packages]
    print(table(packages))
    if options.list:
        first = packages[0]
        print(*("\ncycle: " + ", ".join(group) for group in cycles(first.imports)), sep="")
        print("outside the layers:", ", ".join(first.unlayered() or []) or "none")
        for family in (PROVIDERS, DIALECTS):
            print(f"{family[0]}:", ", ".join(f"{name} {lines}" for name, lines in first.adapters(family).items()))
    return 0


def _contracts(package: Path) -> Path | None:
    """The nearest pyproject.toml above a package."""
    return next((path for folder in package.parents if (path := folder / "pyproject.toml").is_file()), None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
