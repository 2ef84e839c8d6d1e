"""Generates, as exact Markdown, those tables of the documentation that must agree with the code."""

from collections.abc import Iterable, Sequence

import click
import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from daybook_command import metrics as command_metrics
from daybook_command.domain import policies, rejections
from daybook_command.domain.decision import Rejection
from daybook_command.domain.permissions import Standing
from daybook_contracts.codes import HTTP_STATUS, TITLE, Code
from daybook_contracts.commands.registry import COMMANDS
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_infra.operations.cli import main
from daybook_infra.runtime.http.connections import HttpMetrics
from daybook_infra.runtime.kafka.topic_rules import topic_specs
from daybook_infra.runtime.settings import Settings
from daybook_projector.metrics import Metrics, ReadMetrics
from support.matrix import RIGHTS, Actor, verdict
from support.matrix_rows import ROWS

LOGGED = {each.code for each in vars(rejections).values() if isinstance(each, Rejection)} | {Code.INVALID_CONFIG}
"""The codes of all rejections by deciders. Other refusals leave no entry."""
DAY_MS = 86_400_000


def commands() -> str:
    """All command types, with the fields of their data and the users who may send them."""
    return _table(("type", "data", "who may"), [(f"`{type_}`", _data(type_), _who(type_)) for type_ in COMMANDS])


def rights() -> str:
    """For each command, the verdict on every kind of actor."""
    head = ("command", "towards", *(actor.value for actor in Actor))
    rows = [(f"`{row.type}`", row.aim or "", *(verdict(row, actor) or "" for actor in Actor)) for row in ROWS]
    return _table(head, rows)


def codes(*, logged: bool) -> str:
    rows = [(f"`{code}`", str(HTTP_STATUS[code]), TITLE[code]) for code in Code if (code in LOGGED) is logged]
    return _table(("code", "HTTP", "title"), rows)


def entry_data() -> str:
    """The data of each action's success entry."""
    return _table(("action", "data"), [(f"`{action}`", _fact(kind)) for action, kind in ENTRY_DATA.items()])


def alert_messages() -> str:
    rows = [(f"`{rule}`", severity, message) for (rule, severity), message in policies._MESSAGES.items()]
    return _table(("rule", "severity", "message"), rows)


def topics() -> str:
    rows = []
    for spec in topic_specs(Settings()):
        configs = {**spec.chosen, **spec.checked}
        kept = int(configs["retention.ms"])
        size = int(configs["max.message.bytes"]) // 1024 // 1024
        rows.append((f"`{spec.name}`", "for ever" if kept < 0 else f"{kept // DAY_MS} d", f"{size} MiB"))
    return _table(("topic", "kept", "largest batch"), rows)


def metrics_of_command() -> str:
    return _metrics(value for value in vars(command_metrics).values() if isinstance(value, MetricWrapperBase))


def metrics_of_http() -> str:
    return _metrics(vars(HttpMetrics(CollectorRegistry())).values())


def metrics_of_projector() -> str:
    return _metrics(vars(Metrics(CollectorRegistry())).values())


def metrics_of_read_api() -> str:
    return _metrics(vars(ReadMetrics(CollectorRegistry())).values())


def command_line() -> list[str]:
    """Every command that can be run, such as `daybook stack up`."""
    return [f"daybook {path}" for path in _leaves(main, "")]


def _data(type_: str) -> str:
    fields = COMMANDS[type_].model_fields["data"].annotation
    assert fields is not None
    return ", ".join(f"`{name}`{'' if field.is_required() else '?'}" for name, field in fields.model_fields.items())


def _fact(kind: type[msgspec.Struct]) -> str:
    return ", ".join(f"`{each.name}`{'' if each.required else '?'}" for each in msgspec.structs.fields(kind))


def _who(type_: str) -> str:
    return "; ".join(standing.value for standing in Standing if standing in RIGHTS[type_])


def _metrics(found: Iterable[MetricWrapperBase]) -> str:
    rows = []
    for metric in found:
        (family,) = metric.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        rows.append((f"`{name}`", family.type, labels, family.documentation.removesuffix(".")))
    return _table(("metric", "kind", "labels", "says"), rows)


def _leaves(command: click.Command, path: str) -> list[str]:
    if not isinstance(command, click.Group):
        return [path.strip()]
    found = []
    with click.Context(command) as context:
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found += _leaves(inner, f"{path} {name}")
    return found


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join([_row(head), f"|{'---|' * len(head)}", *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
