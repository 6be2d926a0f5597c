"""`scripts/lint_prose.py` finds unclear words where people read, and nowhere else."""

from pathlib import Path
from textwrap import dedent

import pytest
from lint_prose import findings, main


def words_in(folder: Path, source: str, name: str = "module.py") -> list[str]:
    """The words that are found in a file with this source."""
    file = folder / name
    file.write_text(dedent(source), encoding="utf-8")
    return [finding.removeprefix(f"{file}:").split(": ")[1] for finding in findings([file])]


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ('"""Wake whoever waits for a job."""', "whoever"),
        ('class Hub:\n    """Who is told of a job."""', "is told"),
        ('def stop():\n    """Nobody moves the job any more."""', "Nobody"),
        ('async def stop():\n    """The clock\'s way, as it   stands."""', "as it   stands"),
        ('"""The gate in a server."""', "gate"),
        ('option("--model", help="Again for each.")', "Again for each"),
        ('Field(description="A server of one\'s own.")', "of one's own"),
        ('raise ValueError("There is no such file here.")', "here"),
        ('raise ValueError(f"{path} is no file here and not an address")', "here"),
        ('raise ValueError("first line, "\n    "and what goes on")', "goes on"),
        ('class Odd(RuntimeError): pass\nfailure = Odd("not known here" if odd else "fine")', "not known here"),
        ('class Odd(RuntimeError):\n    """The service cannot do this now."""', "now"),
        ('Problem(code="x", pointer="", message="the gate refuses it")', "gate"),
        ('_log.warning("Job %s is put down until its lease ends.", job)', "put down until"),
    ],
)
def test_a_banned_word_is_found_where_people_read(source: str, word: str, tmp_path: Path) -> None:
    assert words_in(tmp_path, source) == [word]


@pytest.mark.parametrize(
    "source",
    [
        '"""Gateway of Framegate, in framegate/gate.py."""',
        'nobody = "whoever"',
        'def stop():\n    """Stop the worker.\n\n    Whoever waits is woken.\n    """',
        'raise ValueError("Invalid JSON")  # whoever sent it',
        "raise ValueError(f\"Unknown role: {roles['here']}\")",
        '"""Accept `gate` as a name."""',
        'response.info("whoever")',
        '"""The job is running now."""',
    ],
)
def test_other_text_passes(source: str, tmp_path: Path) -> None:
    assert words_in(tmp_path, source) == []


def test_the_docstring_of_a_command_is_read_whole(tmp_path: Path) -> None:
    source = '''
        @app.command()
        def rerun():
            """Run a job again.

            It goes on where the first one stopped.
            """
    '''

    assert words_in(tmp_path, source) == ["goes on"]


def test_markdown_is_read_apart_from_code_and_link_targets(tmp_path: Path) -> None:
    source = """\
        # Whoever reads this

        Say [hello](gate.md) to `nobody`.

        ```python
        gate = 1
        ```
    """

    assert words_in(tmp_path, source, "page.md") == ["Whoever"]


def test_a_finding_names_file_line_word_and_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "module.py"
    file.write_text('\n\ndef stop():\n    """Nobody waits."""\n', encoding="utf-8")

    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"{file}:4: Nobody: Nobody waits.\n"


def test_a_clean_tree_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "module.py").write_text('"""Worker: claims jobs and drives them."""\n', encoding="utf-8")

    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""
