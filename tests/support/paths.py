"""Folders that tests read."""

from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
DOCS = ROOT / "docs"
PHOTOS = TESTS / "support" / "photos"
OPENROUTER_MODELS = TESTS / "support" / "data" / "openrouter-2026-08.json"  # what OpenRouter listed in August 2026
DIALECT_GOLDEN = TESTS / "contract" / "dialects" / "golden"
PROVIDER_GOLDEN = TESTS / "contract" / "providers" / "golden"
