"""An admitted record as the folds see it: the record's bytes in, columns, fact and faults out.
What cannot be read of it is None; nothing is raised.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw

from daybook_contracts.entries import Entry, LooseEntry, PoisonEntry, entry_data, raw_metadata, read_entry
from daybook_contracts.entry_data import decode_fact
from daybook_contracts.fact import Changeable, Fact
from daybook_contracts.head import Head
from daybook_contracts.ids import is_uuid
