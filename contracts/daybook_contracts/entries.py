"""Everything about entries under one name: their shape, sealing one onto the log, reading one back."""

from daybook_contracts.entry import (
    VERSION,
    Entry,
    EntryError,
    Metadata,
    Result,
    actor_of,
    decode_entry,
    encode_entry,
    entry_data,
    identity_of,
)
from daybook_contracts.reading import LooseEntry, PoisonEntry, loose_entry, raw_metadata, read_entry
from daybook_contracts.sealing import Sealed, Unsealed, seal

__all__ = [
    "VERSION",
    "Entry",
    "EntryError",
    "LooseEntry",
    "Metadata",
    "PoisonEntry",
    "Result",
    "Sealed",
    "Unsealed",
    "actor_of",
    "decode_entry",
    "encode_entry",
    "entry_data",
    "identity_of",
    "loose_entry",
    "raw_metadata",
    "read_entry",
    "seal",
]
