"""Progress of long work on stderr: a bar on a terminal, otherwise a line every few seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

LINE_EVERY_SECONDS = 5.0

Advance = Callable[[int], None]


@contextmanager
def progress(total: int, word: str) -> Iterator[Advance]:
    """`total`: the expected amount, which may be exceeded. Yields a function to call with each amount done."""
    if sys.stderr.isatty():
        with click.progressbar(length=total, label=word, file=sys.stderr, show_pos=True) as bar:
            yield bar.update
    else:
        yield _lines(total, word)


def _lines(total: int, word: str) -> Advance:
    done, said_at = 0, time.monotonic()

    def advance(number: int) -> None:
        nonlocal done, said_at
        done += number
        if time.monotonic() - said_at >= LINE_EVERY_SECONDS:
            said_at = time.monotonic()
            click.echo(f"{done} of {total} {word}", err=True)

    return advance
