"""`daybook alerts`: lists the open alerts."""

import asyncio
from typing import TYPE_CHECKING, get_args

import click

from daybook_contracts.entries.fields import Severity
from daybook_infra.operations.commands.listing import Columns, one_line, show, with_scope_options
from daybook_infra.operations.listing_sql import Scope
from daybook_infra.operations.server_settings import server_settings

if TYPE_CHECKING:
    from daybook_infra.operations.listings import ListedAlert

SEVERITIES: tuple[str, ...] = get_args(Severity)


@click.command
@with_scope_options
@click.option(
    "--severity",
    "severities",
    type=click.Choice(SEVERITIES),
    multiple=True,
    help="Only this severity; may be repeated.",
)
def alerts(scope: Scope, severities: tuple[str, ...], *, as_json: bool) -> None:
    """List the open alerts, critical ones first.

    Fields of --json: id, severity (critical, warning, info), org_id, project_id, connection_id, rule, message. `rule`
    is null if the alert was raised by hand. `connection_id` is null if the alert is about no connection.
    """
    from daybook_infra.operations import listings

    found = asyncio.run(listings.alerts(server_settings(), scope, severities or SEVERITIES))
    show(found, _columns(), "no open alert", as_json=as_json)


def _columns() -> "Columns[ListedAlert]":
    return {
        "severity": lambda alert: alert.severity,
        "alert": lambda alert: alert.id,
        "connection": lambda alert: alert.connection_id or "-",
        "rule": lambda alert: alert.rule or "-",
        "message": lambda alert: one_line(alert.message),
    }
