"""`daybook connections`: lists the inactive connections, or all."""

import asyncio
from typing import TYPE_CHECKING

import click

from daybook_infra.operations.commands.listing import Columns, one_line, show, with_scope_options
from daybook_infra.operations.listing_sql import PENDING_COUNTED, Scope
from daybook_infra.operations.server_settings import server_settings

if TYPE_CHECKING:
    from daybook_infra.operations.listings import SourceConnection


@click.command
@with_scope_options
@click.option("--all", "active_too", is_flag=True, help="List active ones too.")
@click.option("--type", "type_", metavar="TYPE", help="Only of this type, for example hotmart.")
def connections(scope: Scope, type_: str | None, *, active_too: bool, as_json: bool) -> None:
    """List the inactive connections. --connection lists that connection even if it is active. Configs are never shown.

    Fields of --json: id, type, name, is_active, org_id, project_id, pending_dlq_events (exact up to 1000; 1001 means
    more).
    """
    from daybook_infra.operations import listings

    found = asyncio.run(listings.connections(server_settings(), scope, type_, active_too=active_too))
    show(found, _columns(), "no connection" if active_too else "no inactive connection", as_json=as_json)


def _columns() -> "Columns[SourceConnection]":
    return {
        "active": lambda found: "yes" if found.is_active else "no",
        "connection": lambda found: found.id,
        "org": lambda found: found.org_id,
        "pending": lambda found: _pending_text(found.pending_dlq_events),
        "type": lambda found: found.type,
        "name": lambda found: one_line(found.name),
    }


def _pending_text(count: int) -> str:
    return str(count) if count < PENDING_COUNTED else f">{PENDING_COUNTED - 1}"
