"""What an operator sets of a shard."""

from dataclasses import dataclass

from daybook_contracts.senders.edge_rules import NO_RULES, EdgeRules


@dataclass(frozen=True, slots=True)
class Config:
    """`max_tail` in entries, `max_commands` per batch, `cache_orgs` for this shard alone."""

    partitions: int
    cache_orgs: int
    max_tail: int
    managed_users: bool
    max_commands: int = 500
    rules: EdgeRules = NO_RULES
