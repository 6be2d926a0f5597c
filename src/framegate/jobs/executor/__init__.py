"""Executor of renders and file checks."""
