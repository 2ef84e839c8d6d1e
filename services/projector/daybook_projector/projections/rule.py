"""How a projection reads entries: for each kind of fact that touches its table, a rule from it to changes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from daybook_contracts.entries.entry import Entry
from daybook_contracts.entries.fields import Fact
from daybook_contracts.entries.reading import LooseEntry
from daybook_projector.projections.changes import Change

Columns = Entry | LooseEntry
# The fact's type is the key under which a rule stands; a mapping cannot say so to the type checker.
Rule = Callable[[Columns, Any], Iterable[Change]]
Rules = Mapping[type[Fact], Rule]
