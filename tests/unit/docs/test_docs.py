"""The documentation as a whole: its links lead somewhere, its examples are true, and it speaks of Daybook alone."""

import re
from pathlib import Path

import pytest

from daybook_contracts.commands.parse import parse_command
from daybook_contracts.entries.identity import Identity
from daybook_contracts.routing import partition_of
from support.documents import PAGES, ROOT, Block, blocks, difference, page, section

LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ABSOLUTE = re.compile(r"(?<![\w.:*/-])/([\w.-]+)/")
UPWARDS = re.compile(r"\.\./[\w./-]*")
DECISIONS = ROOT / "infra" / "decisions"
GOLDEN_HASH = "3ecd3d7a283757a7fe0b3bfa2b10018f06fd7d92d696e20a53cb442d5d062b9e"


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target, anchor in LINK.findall(path.read_text("utf-8")):
        if target.startswith("http"):
            continue
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), f"{target} of {path.name}"
        if anchor:
            assert anchor in anchors(there), f"{target}#{anchor} of {path.name}"


def anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = HEADING.findall(path.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_a_page_fits_its_reader(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("# ")
    prose = re.sub(r"^(```.*?^```|\|.*?)$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert [line for line in prose.splitlines() if len(line) > 125] == []


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_a_page_speaks_of_daybook_alone(path: Path) -> None:
    """Of no folder of this machine but the one that root's data goes to, and of nothing outside the checkout."""
    text = path.read_text("utf-8")
    absolute = [found for found in ABSOLUTE.findall(text) if found != "var" and Path("/", found).is_dir()]
    outside = [found for found in UPWARDS.findall(text) if not is_ours(path.parent / found.rstrip("."))]
    assert (absolute, outside) == ([], [])


def is_ours(path: Path) -> bool:
    return path.exists() and path.resolve().is_relative_to(ROOT)


def test_decisions_are_numbered_without_gaps_and_kept_short() -> None:
    files = sorted(DECISIONS.glob("*.md"))
    for number, path in enumerate(files, start=1):
        text = path.read_text("utf-8")
        assert path.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert len(text.split()) < 450, path.name


def test_make_has_the_two_commands() -> None:
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    commands = re.findall(r"^make ([a-z]+) ", section(page("README.md"), "The two commands"), re.MULTILINE)
    assert commands == ["run", "test"]
    assert set(commands) <= targets


def test_the_twenty_lines_accept_the_golden_entry_and_notice_each_alteration() -> None:
    (program,) = blocks(page("docs/log.md"), "python")
    assert len([line for line in program.text.splitlines() if line.strip()]) <= 20
    names: dict[str, object] = {}
    exec(compile(program.text, "docs/log.md", "exec"), names)  # noqa: S102 - the page's own lines are what is tested
    check = names["check"]
    assert callable(check)
    golden = golden_entry()
    assert check(golden, 0, "0" * 64) == GOLDEN_HASH
    for before, after in ((b'"x"', b'"y"'), (b"RENAME_ORG", b"CREATE_ORG"), (b'"position":0', b'"position": 0')):
        with pytest.raises(AssertionError):
            check(golden.replace(before, after), 0, "0" * 64)
    with pytest.raises(AssertionError, match="does not extend"):
        check(golden, 1, GOLDEN_HASH)


def golden_entry() -> bytes:
    (shown,) = blocks(section(page("docs/log.md"), "An entry"), "json")
    entry = shown.text.strip().encode()
    assert len(entry) == 866
    return entry


def test_the_examples_of_ids_and_partitions_are_computed_right() -> None:
    org, command = "00000000-0000-4000-8000-000000000001", "01890000-0000-7000-8000-000000000002"
    identity = Identity("org", org, None, command)
    assert identity.first_id() in page("docs/tables.md")
    assert f"`{identity.first_id()}` and the second id\n`{identity.second_id()}`" in page("docs/log.md")
    assert f"`{org}` is in partition {partition_of(org, 12)} of 12" in page("docs/topics.md").replace("\n", " ")


def test_the_example_of_an_envelope_is_a_command() -> None:
    (envelope,) = blocks(section(page("docs/commands.md"), "The envelope"), "json")
    assert parse_command(envelope.text.encode()).type == "ADD_MEMBER"


@pytest.mark.parametrize(
    ("language", "shown", "got", "fits"),
    [
        ("json", '{"a": 1}\n{"b": 2}', '{"a":1}\n{"b":2}', True),
        ("json", '{"a": 1}', '{"a":2}', False),
        ("text", " a |  b\n...\n z", "a | b\n\nc\nd\nz\n", True),
        ("text", "a\n...\nz", "a\nc", False),
        ("text", "a", "a\nb", False),
    ],
)
def test_an_answer_of_the_tour_is_compared(language: str, shown: str, got: str, *, fits: bool) -> None:
    assert (difference(Block(language, shown), got) is None) is fits
