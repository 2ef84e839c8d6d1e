"""What a rebuild prints: comparisons and corrections in, lines out. Pure."""

from collections.abc import Iterable, Iterator

from daybook_projector.rebuild.differences import Comparison, Difference, Example

KIND_WORDS = {"missing": "missing", "other": "different", "surplus": "surplus"}


def difference_lines(differences: Iterable[Difference]) -> Iterator[str]:
    for each in differences:
        yield f"{each.table}: {each.missing} missing, {each.other} different, {each.surplus} surplus"


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """A line for each table that differs, followed by lines for a few of its rows."""
    for difference in comparison.differences:
        yield from difference_lines([difference])
        for example in comparison.examples:
            if example.table == difference.table:
                yield f"  {_described(example)}"


def _described(example: Example) -> str:
    columns = f": {', '.join(example.columns)}" if example.columns else ""
    return f"{KIND_WORDS[example.kind]} {' '.join(example.key)}{columns}"


def corrected_line(differences: Iterable[Difference]) -> str:
    rows = sum(sum(each.counts) for each in differences)
    return f"{rows} row{'' if rows == 1 else 's'} corrected"
