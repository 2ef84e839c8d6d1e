"""Writes `commands.py` from the models of the contracts: `python contracts/client/generate_commands.py [--check]`.

With `--check` it writes nothing, and exits with 1 if the file is out of date.
"""

import sys
import textwrap
from pathlib import Path
from typing import Any

from daybook_contracts.commands.projects import CreateProjectData
from daybook_contracts.commands.registry import COMMANDS

FILE = Path(__file__).parent / "daybook_client" / "commands.py"
_WIDTH = 120
_HEAD = '''"""A class for each command, with the fields of its data as keyword arguments.

Written by `python contracts/client/generate_commands.py` from the models in the contracts: do not edit. Over 250 lines,
because all commands are in one module, so that editors complete `commands.` to all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from msgspec import Struct, field

from daybook_client.command import Command, Creates, Id
from daybook_client.ids import uuid7
'''
_PLAIN = {"string": "str", "integer": "int", "object": "Mapping[str, Any]"}
# Commands in which the id of the new thing is required, and the field with that id.
_NAMED_IDS = {"CREATE_ORG": "org_id", "REGISTER_USER": "user_id"}
# All optional fields with the id of the new thing have this description.
_CHOSEN = CreateProjectData.model_fields["project_id"].description

Schema = dict[str, Any]


def source() -> str:
    """The text of `commands.py`."""
    nested: dict[str, str] = {}
    classes = [_command_class(kind, model.model_json_schema(), nested) for kind, model in COMMANDS.items()]
    return "\n\n".join([_HEAD, *nested.values(), *classes])


def _command_class(kind: str, schema: Schema, nested: dict[str, str]) -> str:
    definitions: dict[str, Schema] = schema.get("$defs", {})
    data = definitions[schema["properties"]["data"]["$ref"].removeprefix("#/$defs/")]
    for name, each in definitions.items():
        if each is not data:
            nested.setdefault(name, _nested_class(name, each))
    new_id = _NAMED_IDS.get(kind) or next(filter(None, map(_chosen_id, data["properties"].items())), None)
    by_org = schema["properties"]["org_id"].get("type") != "null"
    lines = [f'TYPE: ClassVar[str] = "{kind}"']
    lines += [] if by_org else ['KEY: ClassVar[str] = "user_id"']
    lines += [f'NEW_ID: ClassVar[str] = "{new_id}"'] if new_id else []
    lines += ["", *(["org_id: Id"] if by_org else []), *_fields(data)]
    lines += ["actor_user_id: Id | None = None", "id: str = field(default_factory=uuid7)"]
    documented = {**data["properties"], "actor_user_id": schema["properties"]["actor_user_id"]}
    base = "Creates" if new_id else "Command"
    return _class_text(schema["title"], base, _docstring(schema["description"], documented), lines)


def _nested_class(name: str, schema: Schema) -> str:
    return _class_text(name, "Struct", _docstring(schema["description"], schema["properties"]), _fields(schema))


def _class_text(name: str, base: str, docstring: list[str], lines: list[str]) -> str:
    body = textwrap.indent("\n".join([*docstring, "", *lines]), "    ")
    return f"class {name}({base}, frozen=True, kw_only=True):\n{body}\n"


def _chosen_id(item: tuple[str, Schema]) -> str | None:
    name, schema = item
    return name if schema.get("description") == _CHOSEN else None


def _fields(data: Schema) -> list[str]:
    required = set(data.get("required", ()))
    return [
        f"{name}: {_type(schema)}" + ("" if name in required else " = None")
        for name, schema in data["properties"].items()
    ]


def _type(schema: Schema) -> str:
    match schema:
        case {"anyOf": [one, {"type": "null"}]}:
            return f"{_type(one)} | None"
        case {"$ref": str(name)}:
            return name.removeprefix("#/$defs/")
        case {"enum": [*values]}:
            return f"Literal[{_quoted(values)}]"
        case {"type": "string", "format": "uuid"}:
            return "Id"
        case {"type": "array", "items": items}:
            return f"Sequence[{_type(items)}]"
        case {"type": str(plain)}:
            return _PLAIN[plain]
        case _:
            return "Any"


def _quoted(values: list[Any]) -> str:
    return ", ".join(f'"{value}"' for value in values)


def _docstring(summary: str, properties: dict[str, Schema]) -> list[str]:
    noted = [(name, schema["description"]) for name, schema in properties.items() if "description" in schema]
    notes = [textwrap.fill(f"{name}: {text}", _WIDTH - 4, subsequent_indent="    ") for name, text in noted]
    if not notes:
        return [f'"""{summary}"""']
    return [f'"""{summary}', "", *"\n".join(notes).split("\n"), '"""']


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python contracts/client/generate_commands.py [--check]\n")
        return 2
    expected = source()
    if FILE.exists() and FILE.read_text("utf-8") == expected:
        return 0
    if arguments:
        sys.stdout.write(f"out of date: {FILE.name}\n")
        return 1
    FILE.write_text(expected, "utf-8")
    sys.stdout.write(f"written: {FILE.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
