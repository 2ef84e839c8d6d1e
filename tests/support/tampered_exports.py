"""All exports on which verifiers are tested, each with the finding that a verifier must report first (None: valid). To
check another verifier, write each export to a folder, and compare the verifier's first finding with the expected one,
or its whole report with the example verifier's.
"""

from collections.abc import Iterator

from support.broken_rules import broken_rules
from support.exports import Export, honest_exports
from support.tampered_folders import tampered_folders, uncheckable_exports
from support.tampered_lines import tampered_lines

__all__ = ["checkable_exports", "honest_exports", "tampered_exports", "uncheckable_exports"]


def tampered_exports() -> Iterator[Export]:
    yield from tampered_lines()
    yield from tampered_folders()
    yield from broken_rules()


def checkable_exports() -> Iterator[Export]:
    yield from honest_exports()
    yield from tampered_exports()
