"""Prompt parser: camera moves, timing words, references, mood, look and sound, by a fixed vocabulary."""
