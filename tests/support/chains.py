"""Follows logs with the auditors' `Chain`: takes records of partition 0, returns what the chain says of each."""

from typing import Any

from daybook_projector.audit.checks.chain import Chain, Followed
from daybook_projector.audit.checks.finding import Finding


def followed(values: list[bytes], *, is_filtered: bool = False) -> tuple[Chain, list[Followed]]:
    chain = Chain(0, "export", is_filtered=is_filtered, is_folded=True)
    return chain, [chain.follow(-1, value) for value in values]


def findings(values: list[bytes], *, is_filtered: bool = False) -> list[Finding]:
    return [each.finding for each in followed(values, is_filtered=is_filtered)[1] if each.finding is not None]


def brief(found: list[Finding]) -> list[tuple[Any, ...]]:
    return [(each.check, each.position) for each in found]
