"""`python -m bench [NAME ...]`: run the measurements by name, or all that are measured against a target."""

import importlib
import sys

NAMES = ("render", "cold_start", "download", "state_machine")
BY_NAME_ONLY = ("crash", "faults")  # not measurements of speed, and long


def main() -> int:
    names = sys.argv[1:] or NAMES
    unknown = set(names) - {*NAMES, *BY_NAME_ONLY}
    if unknown:
        print(f"There is no bench {sorted(unknown)}; there are {', '.join((*NAMES, *BY_NAME_ONLY))}.", file=sys.stderr)
        return 2
    missed: list[str] = []
    for name in names:
        print(f"== {name}", flush=True)
        sys.argv = [name]
        if importlib.import_module(f"bench.{name}").main():
            missed.append(name)
    print(f"missed: {', '.join(missed)}" if missed else "every target reached")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
