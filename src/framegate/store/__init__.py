"""All SQL, for SQLite and PostgreSQL: one schema, one set of statements, one writer that commits in groups."""

from framegate.store.claim_writes import ClaimedJob
from framegate.store.folder_lock import FolderLock
from framegate.store.store import Page, Store

__all__ = ["ClaimedJob", "FolderLock", "Page", "Store"]
