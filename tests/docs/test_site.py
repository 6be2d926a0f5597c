"""The site: every page is in the navigation, settings and glossary are complete, links and anchors resolve."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from framegate.config.accounts import Account, WebhookEndpoint
from framegate.config.settings import Settings
from support.pages import page, readme, rows
from support.paths import DOCS, ROOT

CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
FOLDER_ENTRIES_MAX = 14
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
SPECIAL_DEFAULTS = {
    "data_dir": "the user's data folder of the platform",
    "render_workers": "half of the CPU cores",
    "check_workers": "half of the CPU cores",
}
TERMS = (
    *(
        "account",
        "animatic",
        "API",
        "blob",
        "budget",
        "catalog entry",
        "circuit breaker",
        "claim",
        "concurrency limiter",
    ),
    *("dialect", "fence", "gateway", "hold", "idempotency key", "job", "lease", "ledger", "model", "notifier", "offer"),
    *("order", "outcome unknown", "poll", "provider", "provider webhook", "quality report", "queue limit"),
    *("rate limiter", "release", "request deduplication", "reservation", "retry with back-off", "route", "settlement"),
    *(
        "signed URL",
        "state",
        "state machine",
        "storage",
        "submit",
        "`submit_unsure`",
        "tenant",
        "transition",
        "validate",
    ),
    *("verify", "webhook", "worker"),
)


def navigation(entries: list[Any]) -> list[str]:
    """Paths of all pages in the navigation."""
    paths: list[str] = []
    for entry in entries:
        target = next(iter(entry.values())) if isinstance(entry, dict) else entry
        paths += navigation(target) if isinstance(target, list) else [target]
    return paths


def anchors(text: str) -> set[str]:
    """Anchors of the headings, as the site generates them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    slugs = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"[\s-]+", "-", slug) for slug in slugs}


def test_every_page_is_in_the_navigation():
    decisions = [f"adr/{path}" for path in LINK.findall(page("adr/README.md")) if path.startswith("0")]

    assert sorted(navigation(CONFIG["nav"]) + decisions) == PAGES


@pytest.mark.parametrize("folder", ["guides", "concepts", "reference", "operations"])
def test_a_folder_stays_small(folder: str):
    assert 5 <= len(list((DOCS / folder).iterdir())) <= FOLDER_ENTRIES_MAX


def test_the_site_loads_nothing_from_elsewhere():
    assert CONFIG["theme"]["font"] is False
    assert not [path for path in CONFIG.get("extra_css", []) + CONFIG.get("extra_javascript", []) if "//" in path]


@pytest.mark.parametrize("name", [*PAGES, "README"])
def test_every_link_to_a_file_resolves(name: str):
    text, folder = (readme(), ROOT) if name == "README" else (page(name), (DOCS / name).parent)
    broken: list[str] = []
    for target in LINK.findall(text):
        path, _, anchor = target.partition("#")
        file = Path(folder / path) if path else DOCS / name
        if "://" in target or (file.exists() and (not anchor or anchor in anchors(file.read_text(encoding="utf-8")))):
            continue
        broken.append(target)

    assert broken == []


def test_every_setting_is_documented_with_its_default():
    documented = {row[0].strip("`"): row[1] for row in rows(page("reference/settings.md")) if len(row) == 3}

    for name, field in Settings.model_fields.items():
        default = SPECIAL_DEFAULTS.get(name) or default_text(field.get_default(call_default_factory=True))
        assert documented.get(name) == default, name
    assert set(documented) - {"setting"} == set(Settings.model_fields)


def default_text(default: Any) -> str:
    """A default as the page writes it."""
    if default in (None, (), {}):
        return "none"
    match default:
        case bool():
            return f"`{str(default).lower()}`"
        case float():
            return f"`{default:g}`"
        case _:
            return f"`{default}`"


@pytest.mark.parametrize("table", [Account, WebhookEndpoint])
def test_every_key_of_a_table_is_documented(table: type[Account | WebhookEndpoint]):
    documented = " ".join(row[0] for row in rows(page("reference/settings.md")) if len(row) == 2)

    assert [name for name in table.model_fields if f"`{name}`" not in documented] == []


def test_the_glossary_has_every_term_in_alphabetical_order():
    terms = [row[0] for row in rows(page("glossary.md"))][1:]

    assert [term for term in TERMS if term not in terms] == []
    assert terms == sorted(terms, key=lambda term: term.strip("`").lower().replace("_", " "))
