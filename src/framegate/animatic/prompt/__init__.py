"""Prompt reading: camera moves, placement, mood."""
