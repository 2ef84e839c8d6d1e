"""The golden transcript: one line for each of 10,000 commands, with a digest of all entries and answers that the
command caused; and digests of the tables after every 500 commands.

A command's line has its type, its outcome, a digest of its record, and a digest of its entries and answers.
`PYTHONPATH=tests python -m support.golden` compares all lines with the golden file. `--show 1234` prints everything
that command 1234 caused, `--tables 1499` the rows after command 1499. `--write` replaces the golden file: only for an
intended change.
"""

import argparse
import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest
from msgspec.structs import replace

from daybook_command.shard import org_cache
from daybook_command.shard.org_cache import ORG_BYTES
from daybook_command.shard.state import ShardConfig
from daybook_contracts.senders.sender_rules import SenderRules
from support import golden_commands
from support.golden_commands import PARTITIONS, Sent, external, external_users, history, managed
from support.golden_world import World
from support.logbook import Logbook

GOLDEN = Path(__file__).parent.parent / "golden" / "transcript.txt"
MANAGED, EXTERNAL, EVERY = 7_600, 2_400, 500
"""Commands in each deployment, and commands between two digests of the tables."""
SHOWN = 2_000
"""A reported difference has at most this many notes, and each note at most this many characters."""


@dataclass(frozen=True, slots=True)
class Line:
    """`text` is the line in the file, and `notes` the texts that its digest covers. `number` is the command's number; a
    line of a table has the latest command's number, and no `kind` or `outcome`.
    """

    number: int
    text: str
    notes: tuple[str, ...] = ()
    kind: str = ""
    outcome: str = ""


def transcript() -> list[Line]:
    rules = SenderRules(golden_commands.policy(), "vault:kv/hub/")
    own = ShardConfig(PARTITIONS, cache_bytes=8 * ORG_BYTES, max_tail=4_000_000, managed_users=True, max_commands=25)
    idp = replace(own, managed_users=False, rules=rules)
    with pytest.MonkeyPatch.context() as patch:
        # What is cached decides which commands share a batch, and so their salts: here each cache holds 8 orgs.
        patch.setattr(org_cache, "weight_of", lambda _: ORG_BYTES)
        return [
            *_played(World(own, history(), frozenset(), 0), managed(MANAGED)),
            *_played(World(idp, Logbook(PARTITIONS), external_users(), MANAGED), external(EXTERNAL)),
        ]


def _played(world: World, commands: Iterator[Sent]) -> Iterator[Line]:
    first, sent, tables = world.notes.now, list(commands), list[Line]()
    for number, each in enumerate(sent, start=first):
        world.play(each)
        if world.notes.now % EVERY == 0:
            tables += _tables(world, number)
    world.finish()
    for number, each in enumerate(sent, start=first):
        notes, outcome = tuple(world.notes.texts[number]), world.notes.outcomes.get(number, "silent")
        text = f"{each.kind} {outcome} {_digest([repr(each)], 4)} {_digest(notes, 10)}"
        yield Line(number, text, (repr(each), *notes), each.kind, outcome)
    yield from tables
    yield from _tables(world, world.notes.now)


def _tables(world: World, number: int) -> Iterator[Line]:
    for name, rows in world.postgres.tables().items():
        yield Line(number, f"= after {number}: {name} {len(rows)} {_digest(rows, 10)}", tuple(rows))


def _digest(texts: Sequence[str], digits: int) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:digits]


def difference(lines: Sequence[Line]) -> str | None:
    """Describes the first line that differs from the golden file; None if no line does."""
    for line, golden in zip_longest(lines, GOLDEN.read_text().splitlines()):
        if line is None or line.text != golden:
            other_input = line and line.kind and golden and line.text.split()[-2] != golden.split()[-2]
            changed = "the input (support.golden_commands)" if other_input else "the behaviour of the code"
            return f"{changed} has changed\ngolden: {golden}\n   now: {line and describe(line, SHOWN)}"
    return None


def describe(line: Line, most: int | None = None) -> str:
    """The line and its notes: at most `most` notes, and at most `most` characters of each."""
    return "\n".join([f"{line.number} {line.text}", *(f"    {each[:most]}" for each in line.notes[:most])])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m support.golden", description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the golden file")
    parser.add_argument("--show", type=int, metavar="NUMBER", help="print everything that a command caused")
    parser.add_argument("--tables", type=int, metavar="NUMBER", help="print the rows after a command")
    asked = parser.parse_args()
    lines = transcript()
    if asked.write:
        GOLDEN.write_text("".join(f"{line.text}\n" for line in lines))
        return 0
    wanted = asked.show if asked.tables is None else asked.tables
    if wanted is not None:
        found = [line for line in lines if line.number == wanted and (not line.kind) == (asked.show is None)]
        print(*map(describe, found), sep="\n")  # noqa: T201
        return 0
    differs = difference(lines)
    print(differs or "as golden")  # noqa: T201
    return int(differs is not None)


if __name__ == "__main__":
    sys.exit(main())
