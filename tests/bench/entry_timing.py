"""Prints how much CPU time one entry takes, the best of five runs: `python tests/bench/entry_timing.py`."""

import sys
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).parents[1]))

from daybook_contracts.entries.entry import Entry, decode_entry
from daybook_contracts.entries.hashing import request_hash
from daybook_contracts.entries.identity import Identity
from daybook_contracts.entries.reading import raw_metadata, read_entry
from daybook_contracts.log.admission import VoidReason, admit, admit_generic
from daybook_contracts.log.head import GENESIS
from daybook_contracts.log.sealing import seal
from daybook_contracts.topics import entry_headers
from support.entry_samples import COMMAND, ORG, SALT, unsealed
from support.flat_entries import seal_flat

TIMES = 20_000
# Numbers in the payload of a dead letter. Each is compared with the first, an integer.
PRICES = ("19", "19.5", "0.00001", "0.0000012", "1e-7", "1e+21")


def report(name: str, step: Callable[[], object]) -> float:
    seconds = min(timeit.repeat(step, timer=process_time, number=TIMES, repeat=5)) / TIMES
    sys.stdout.write(f"{name:>32} {seconds * 1e6:6.2f} µs\n")
    return seconds


def report_entry(action: str) -> None:
    value = seal_flat(unsealed(action)).value
    entry = decode_entry(value)
    sys.stdout.write(f"{action}, {len(value)} bytes\n")
    report("seal", lambda: seal(entry))
    report("seal and admit, as a shard", lambda: admit(GENESIS, entry.metadata_json.partition, seal(entry)))
    report("admit", lambda: admit(GENESIS, entry.metadata_json.partition, value))
    report("admit_generic", lambda: admit_generic(GENESIS, entry.metadata_json.partition, value))
    report("read_entry", lambda: read_entry(value))
    report("admit and read, as a fold", lambda: admit_and_read(entry, value))
    report("raw_metadata", lambda: raw_metadata(value))


def admit_and_read(entry: Entry, value: bytes) -> None:
    admitted = admit(GENESIS, entry.metadata_json.partition, value)
    assert not isinstance(admitted, VoidReason)
    read_entry(admitted.value, admitted.entry)


def report_numbers() -> None:
    flat = unsealed("RECORD_DLQ_EVENT")
    sys.stdout.write("admit, by a number in the payload\n")
    seconds = {}
    for price in PRICES:
        value = seal_flat(flat | {"data": b'{"payload":{"price":%b}}' % price.encode()}).value
        seconds[price] = report(price, partial(admit, GENESIS, flat["partition"], value))
    ratios = ", ".join(f"{price} {seconds[price] / seconds[PRICES[0]]:.2f}" for price in PRICES[1:])
    sys.stdout.write(f"times the integer: {ratios}\n")


def main() -> None:
    for action in ("RENAME_ORG", "ADD_MEMBER", "CREATE_CONNECTION", "RECORD_DLQ_EVENT"):
        report_entry(action)
    report_numbers()
    salt = bytes.fromhex(SALT)
    sys.stdout.write("single steps\n")
    report("first id", Identity("org", ORG, None, COMMAND).first_id)
    report("request_hash", lambda: request_hash(salt, "RENAME_ORG", ORG, None, b'{"name":"x"}'))
    report("entry_headers", lambda: entry_headers(COMMAND, ORG, "2026-11-22T15:10:13.123456Z"))


if __name__ == "__main__":
    main()
