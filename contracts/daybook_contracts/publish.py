"""Writes the JSON Schemas of commands, configs, entries and results: `python -m daybook_contracts.publish [--check]`.

With `--check` it writes nothing: it lists the files that differ from the models, and exits with 1 if there are any.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from daybook_contracts.commands.registry import COMMANDS
from daybook_contracts.connection_types.configs import CONNECTION_TYPES
from daybook_contracts.entries.entry import Entry
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.results import Accepted, Pending, Rejected

FOLDER = Path(__file__).parent.parent / "schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, str]:
    """The text of each schema, by its path in the folder."""
    by_path = {
        **{f"commands/{kind}.v1.json": model.model_json_schema() for kind, model in COMMANDS.items()},
        **{f"connection_types/{kind}.v1.json": model.model_json_schema() for kind, model in CONNECTION_TYPES.items()},
        **{f"entries/{action}.v1.json": msgspec.json.schema(data) for action, data in ENTRY_DATA.items()},
        "entries/entry.v1.json": msgspec.json.schema(Entry),
        "results/accepted.v1.json": msgspec.json.schema(Accepted),
        "results/rejected.v1.json": rejected_schema(),
        "results/pending.v1.json": msgspec.json.schema(Pending),
        "results/record.v1.json": record_schema(),
    }
    return {path: _schema_text(path, schema) for path, schema in by_path.items()}


def rejected_schema() -> dict[str, Any]:
    """The body of a rejection. It has no `command_id` if Daybook could not read the command's id."""
    schema = msgspec.json.schema(Rejected)
    schema["$defs"]["Rejected"]["properties"]["command_id"] = {"type": "string"}
    return schema


def record_schema(ref_template: str = "#/$defs/{name}") -> dict[str, Any]:
    """The value of a results record: the body of a single call, always with `status` and `result`."""
    (accepted, rejected), defs = msgspec.json.schema_components((Accepted, Rejected), ref_template=ref_template)
    _add_required_member(defs["Accepted"], "result", {"const": "success"})
    _add_required_member(defs["Accepted"], "status", {"const": 200})
    _add_required_member(defs["Rejected"], "result", {"const": "failure"})
    defs["Rejected"]["required"] = [*defs["Rejected"]["required"], "command_id"]
    return {"anyOf": [accepted, rejected], "$defs": defs}


def _add_required_member(schema: dict[str, Any], member: str, value: dict[str, Any]) -> None:
    schema["properties"][member] = value
    schema["required"] = [*schema["required"], member]


def _schema_text(path: str, schema: dict[str, Any]) -> str:
    name = path.removesuffix(".json").replace("/", ":").replace(".", ":")
    whole = {"$schema": _DIALECT, "$id": f"urn:daybook:schema:{name}", **schema}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def outdated_paths(folder: Path) -> list[str]:
    """The paths of files that are missing, that differ from the schema, or whose model no longer exists."""
    expected = schemas()
    found = {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*.json")}
    return sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))


def publish(folder: Path) -> list[str]:
    """Updates the folder and returns the paths that it changed."""
    outdated, expected = outdated_paths(folder), schemas()
    for path in outdated:
        target = folder / path
        if path in expected:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(expected[path], "utf-8")
        else:
            target.unlink()
    return outdated


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m daybook_contracts.publish [--check]\n")
        return 2
    check = bool(arguments)
    paths = outdated_paths(FOLDER) if check else publish(FOLDER)
    for path in paths:
        sys.stdout.write(f"{'out of date' if check else 'written'}: {path}\n")
    return 1 if check and paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
