"""The documentation as a whole: links resolve, examples are correct, and no path outside the checkout is named."""

import re
from pathlib import Path

import pytest

from daybook_contracts.commands.parse import parse_command
from daybook_contracts.entries.identity import Identity
from daybook_contracts.routing import partition_of
from support.documents import PAGES, ROOT, Block, blocks, difference, page, section

LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ABSOLUTE_PATH = re.compile(r"(?<![\w.:*/-])/([\w.-]+)/")
PARENT_PATH = re.compile(r"\.\./[\w./-]*")
DECISIONS = ROOT / "infra" / "decisions"
GOLDEN_HASH = "3ecd3d7a283757a7fe0b3bfa2b10018f06fd7d92d696e20a53cb442d5d062b9e"


def relative_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=relative_name)
def test_every_link_resolves(path: Path) -> None:
    for target, anchor in LINK.findall(path.read_text("utf-8")):
        if target.startswith("http"):
            continue
        linked = (path.parent / target).resolve() if target else path
        assert linked.exists(), f"{target} of {path.name}"
        if anchor:
            assert anchor in anchors(linked), f"{target}#{anchor} of {path.name}"


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub derives from headings."""
    titles = HEADING.findall(path.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=relative_name)
def test_a_page_has_a_title_and_no_overlong_lines(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("# ")
    prose = re.sub(r"^(```.*?^```|\|.*?)$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert [line for line in prose.splitlines() if len(line) > 125] == []


@pytest.mark.parametrize("path", PAGES, ids=relative_name)
def test_a_page_names_no_path_outside_the_checkout(path: Path) -> None:
    """Only a folder below /var is allowed: a stack started by root keeps its data there."""
    text = path.read_text("utf-8")
    absolute = [found for found in ABSOLUTE_PATH.findall(text) if found != "var" and Path("/", found).is_dir()]
    outside = [found for found in PARENT_PATH.findall(text) if not is_in_checkout(path.parent / found.rstrip("."))]
    assert (absolute, outside) == ([], [])


def is_in_checkout(path: Path) -> bool:
    return path.exists() and path.resolve().is_relative_to(ROOT)


def test_decisions_are_short_and_numbered_without_gaps() -> None:
    files = sorted(DECISIONS.glob("*.md"))
    for number, path in enumerate(files, start=1):
        text = path.read_text("utf-8")
        assert path.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert len(text.split()) < 450, path.name


def test_the_two_commands_of_the_readme_are_make_targets() -> None:
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    commands = re.findall(r"^make ([a-z]+) ", section(page("README.md"), "The two commands"), re.MULTILINE)
    assert commands == ["run", "test"]
    assert set(commands) <= targets


def test_the_verification_program_accepts_the_golden_entry_and_no_altered_one() -> None:
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


def test_the_example_ids_and_partitions_are_correct() -> None:
    org, command = "00000000-0000-4000-8000-000000000001", "01890000-0000-7000-8000-000000000002"
    identity = Identity("org", org, None, command)
    assert identity.first_id() in page("docs/tables.md")
    assert f"`{identity.first_id()}` and the second id\n`{identity.second_id()}`" in page("docs/log.md")
    assert f"`{org}` is in partition {partition_of(org, 12)} of 12" in page("docs/topics.md").replace("\n", " ")


def test_the_example_envelope_is_a_valid_command() -> None:
    (envelope,) = blocks(section(page("docs/commands.md"), "The envelope"), "json")
    assert parse_command(envelope.text.encode()).type == "ADD_MEMBER"


@pytest.mark.parametrize(
    ("language", "shown", "actual", "matches"),
    [
        ("json", '{"a": 1}\n{"b": 2}', '{"a":1}\n{"b":2}', True),
        ("json", '{"a": 1}', '{"a":2}', False),
        ("text", " a |  b\n...\n z", "a | b\n\nc\nd\nz\n", True),
        ("text", "a\n...\nz", "a\nc", False),
        ("text", "a", "a\nb", False),
        ("text", "hash …, voids 1", "hash 0a1b, voids 1", True),
        ("text", "hash …, voids 1", "hash 0a1b, voids 11", False),
        ("text", "hash …", "hash 0a\n1b", False),
        ("text", "a.c…", "abcd", False),
    ],
)
def test_the_comparison_of_shown_and_actual_output_ignores_only_what_is_left_out(
    language: str, shown: str, actual: str, *, matches: bool
) -> None:
    assert (difference(Block(language, shown), actual) is None) is matches
