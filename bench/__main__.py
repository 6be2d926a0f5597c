"""`python -m bench [NAME ...]`: run the measurements by name, or all that are measured against a target.

One alone takes options of its own: `python -m bench crash_paid --kills 60`.
"""

import importlib
import sys
from types import ModuleType

NAMES = ("render", "cold_start", "download", "state_machine")
BY_NAME_ONLY = (
    "crash",
    "crash_paid",
    "faults",
    "inbound",
    "requests",
    "side_by_side",
)  # counts, or held against a peer; long


def main() -> int:
    names, options = sys.argv[1:], list[str]()
    if len(names) > 1 and any(word.startswith("-") for word in names[1:]):
        names, options = names[:1], names[1:]
    names = names or [*NAMES]
    unknown = set(names) - {*NAMES, *BY_NAME_ONLY}
    if unknown:
        print(f"There is no bench {sorted(unknown)}; there are {', '.join((*NAMES, *BY_NAME_ONLY))}.", file=sys.stderr)
        return 2
    missed: list[str] = []
    for name in names:
        print(f"== {name}", flush=True)
        sys.argv = [name, *options]
        if _program(name).main():
            missed.append(name)
    print(f"missed: {', '.join(missed)}" if missed else "every target reached")
    return 1 if missed else 0


def _program(name: str) -> ModuleType:
    """The module with `main`: a file, or the one inside a folder."""
    module = importlib.import_module(f"bench.{name}")
    return importlib.import_module(f"bench.{name}.__main__") if hasattr(module, "__path__") else module


if __name__ == "__main__":
    raise SystemExit(main())
