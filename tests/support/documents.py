"""Reads the documentation: the sections and the fenced blocks of a Markdown page."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "infra/decisions").glob("*.md")),
)

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_JSON = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Block:
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """What a reader types, and the answer shown for it (None if none is shown)."""

    lines: str
    answer: Block | None


def page(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """The text under a second-level heading, up to the next one."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"there is no section {title!r}"
    return found[1]


def blocks(text: str, *languages: str) -> list[Block]:
    """The fenced blocks in these languages, or in any language if none is given, in order."""
    found = [Block(language, inside) for language, inside in _FENCED.findall(text)]
    return [block for block in found if not languages or block.language in languages]


def steps(text: str) -> list[Step]:
    """Each `sh` block with the block after it, if that is its answer."""
    found = blocks(text)
    following = [*found[1:], None]
    return [
        Step(block.text, after if after is not None and after.language != "sh" else None)
        for block, after in zip(found, following, strict=True)
        if block.language == "sh"
    ]


def difference(shown: Block, got: str) -> str | None:
    """Why `got` does not match the answer that a page shows; None if it does."""
    if shown.language == "json":
        wanted, found = list(json_values(shown.text)), list(json_values(got))
        return None if wanted == found else f"shown: {wanted}\ngot:   {found}"
    return None if _fits(_lines(shown.text), _lines(got)) else f"shown:\n{shown.text}\ngot:\n{got}"


def json_values(text: str) -> Iterator[Any]:
    """The JSON values in a text that consists of JSON values, one after another."""
    rest = text.strip()
    while rest:
        value, end = _JSON.raw_decode(rest)
        yield value
        rest = rest[end:].strip()


def _lines(text: str) -> list[str]:
    """The lines that are not empty, with runs of spaces shortened to one."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _fits(shown: list[str], got: list[str]) -> bool:
    """Whether the lines match. In `shown`, a line `...` stands for any lines, and `…` for at least one character."""
    if not shown:
        return not got
    if shown[0] == "...":
        return any(_fits(shown[1:], got[skipped:]) for skipped in range(len(got) + 1))
    return bool(got) and _is_line(shown[0], got[0]) and _fits(shown[1:], got[1:])


def _is_line(shown: str, got: str) -> bool:
    return re.fullmatch(".+".join(map(re.escape, shown.split("…"))), got) is not None
