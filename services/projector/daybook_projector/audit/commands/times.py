"""A moment on the command line: RFC 3339 text in; the same time in the form of `created_at` out."""

import click

from daybook_contracts.timestamps import microseconds, timestamp


def moment(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return timestamp(microseconds(text))
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text!r} is not a time with its offset, such as 2026-11-22T15:10:13Z") from error
