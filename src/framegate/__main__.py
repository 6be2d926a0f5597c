"""Run the command line with `python -m framegate`."""

from framegate.cli import run

run()
