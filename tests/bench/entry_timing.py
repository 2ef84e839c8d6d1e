"""Prints what an entry costs in Python: `python tests/bench/entry_timing.py`. Best of five; asserts nothing."""

import sys
import timeit
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from daybook_contracts.admission import GENESIS, admit, admit_generic
from daybook_contracts.entries import entry_data, raw_metadata, read_entry, seal
from daybook_contracts.hashing import request_hash
from daybook_contracts.ids import Identity
from daybook_contracts.topics import entry_headers
from support.entry_samples import COMMAND, ORG, SALT, unsealed

TIMES = 20_000


def report(name: str, step: Callable[[], object]) -> None:
    seconds = min(timeit.repeat(step, number=TIMES, repeat=5)) / TIMES
    sys.stdout.write(f"{name:>32} {seconds * 1e6:6.2f} µs\n")


def report_entry(action: str) -> None:
    draft = unsealed(action)
    value = seal(draft, GENESIS).value
    entry = read_entry(value)
    sys.stdout.write(f"{action}, {len(value)} bytes\n")
    report("seal", lambda: seal(draft, GENESIS))
    report("admit", lambda: admit(GENESIS, draft.partition, value))
    report("admit_generic", lambda: admit_generic(GENESIS, draft.partition, value))
    report("read_entry", lambda: read_entry(value))
    report("entry_data", lambda: entry_data(entry))
    report("raw_metadata", lambda: raw_metadata(value))


def main() -> None:
    for action in ("RENAME_ORG", "ADD_MEMBER", "CREATE_CONNECTION", "RECORD_DLQ_EVENT"):
        report_entry(action)
    salt = bytes.fromhex(SALT)
    sys.stdout.write("by the way\n")
    report("first id", Identity("org", ORG, None, COMMAND).first_id)
    report("request_hash", lambda: request_hash(salt, "RENAME_ORG", ORG, None, b'{"name":"x"}'))
    report("entry_headers", lambda: entry_headers(COMMAND, ORG, "2026-11-22T15:10:13.123456Z"))


if __name__ == "__main__":
    main()
