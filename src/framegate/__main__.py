"""`python -m framegate` is `framegate`."""

from framegate.cli import run

run()
