"""Money and budgets: ledger states, columns, settings, commands and the example error are documented."""

import re
import shlex
from typing import Any

import pytest
import typer.main

from framegate.cli import app
from framegate.cli.spend import AMOUNTS, COUNTS
from framegate.config.settings import Settings
from framegate.domain import BudgetPeriod
from framegate.domain.ledger import Budget, Entry, EntryState
from framegate.store.ledger import Spent
from support.pages import blocks, page

MONEY, BUDGETS = page("concepts/money.md"), page("operations/budgets.md")
COMMANDS = [line for block in blocks(BUDGETS, "sh") for line in block.splitlines()]


def test_every_state_of_an_entry_and_every_period_is_explained():
    states = re.findall(r"^\| `(\w+)` \| ", MONEY, re.MULTILINE)

    assert states == [state.value for state in EntryState]
    assert [period for period in BudgetPeriod if f"(`{period}`)" not in BUDGETS] == []


def test_every_column_of_the_spending_is_explained():
    fields = re.findall(r"^\| [A-Z]* ?\| `(\w+)` \|", BUDGETS, re.MULTILINE)

    assert set(fields) == set(Spent.__dataclass_fields__) - {"name", "jobs"}
    assert set(fields) == {*AMOUNTS, *COUNTS, "unreported_micro_usd"}


def test_the_settings_of_the_pages_exist():
    for name in ("pictory_usd_per_credit", "allow_unpriced_jobs"):
        assert f"`{name}`" in MONEY + BUDGETS
        assert name in Settings.model_fields


def test_the_example_error_is_the_message_of_the_program():
    entry = Entry(
        job_id="j",
        owner="o",
        key_id="k",
        model="m",
        provider="p",
        account="a",
        day="2026-11-21",
        created_at=0,
        reserved_micro_usd=3_200_000,
    )
    budget = Budget(micro_usd=20_000_000, period=BudgetPeriod.MONTH)
    refused = budget.check(entry, counted_micro_usd=19_600_000, allow_unpriced=False)

    assert refused is not None
    assert refused.message in " ".join(BUDGETS.replace("> ", "").split())
    assert refused.code == "budget_exceeded"


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_page_exists(line: str):
    words = shlex.split(line)
    command: Any = typer.main.get_command(app)
    assert words.pop(0) == "framegate"
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    context = command.make_context(line, words, resilient_parsing=False)

    assert context.params
