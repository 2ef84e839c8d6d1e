"""A projection's rules: a function from entry to changes for each type of fact that affects the table."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from daybook_contracts.entries.entry import Entry
from daybook_contracts.entries.fields import Fact
from daybook_contracts.entries.reading import LooseEntry
from daybook_projector.projections.changes import Change

Columns = Entry | LooseEntry
# A rule takes the fact type that is its key; a Mapping cannot express that to the type checker.
Rule = Callable[[Columns, Any], Iterable[Change]]
Rules = Mapping[type[Fact], Rule]
