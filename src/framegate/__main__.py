"""`python -m framegate` is `framegate`."""

from framegate.cli import main

main()
