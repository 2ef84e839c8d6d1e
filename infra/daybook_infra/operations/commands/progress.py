"""Progress of long work on stderr: a bar with rate and time left on a terminal, otherwise a line every few seconds."""

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
        with click.progressbar(
            length=total, label=word, file=sys.stderr, show_pos=True, item_show_func=_rate_since(time.monotonic())
        ) as bar:
            done = 0

            def advance(number: int) -> None:
                nonlocal done
                done += number
                bar.update(number, done)

            yield advance
    else:
        yield _line_printer(total, word)


def _rate_since(begun: float) -> Callable[[int | None], str | None]:
    """Returns a function that turns the amount done into the rate that the bar shows."""

    def rate(done: int | None) -> str | None:
        seconds = time.monotonic() - begun
        return None if done is None or seconds <= 0 else f"{done / seconds:,.0f}/s"

    return rate


def _line_printer(total: int, word: str) -> Advance:
    done, said_at = 0, time.monotonic()

    def advance(number: int) -> None:
        nonlocal done, said_at
        done += number
        if time.monotonic() - said_at >= LINE_EVERY_SECONDS:
            said_at = time.monotonic()
            click.echo(f"{done} of {total} {word}", err=True)

    return advance
