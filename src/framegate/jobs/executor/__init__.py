"""Executor: where renders and decoding run. Both are pure functions of files, safe to repeat."""

from framegate.jobs.executor.base import Executor
from framegate.jobs.executor.local import LocalExecutor

__all__ = ["Executor", "LocalExecutor"]
