"""Compares records with an AsyncAPI document, and checks the document with AsyncAPI's own parser."""

import json
import subprocess
from collections.abc import Iterable
from typing import Any

from jsonschema import Draft7Validator

from support.node import NODE, NODE_FOLDER, NODE_MODULES

ERROR, WARNING = 0, 1
"""Severities of the parser's findings."""


def parser_findings(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The errors and warnings of AsyncAPI's own parser."""
    assert NODE_MODULES.is_dir(), "AsyncAPI's parser is not installed; run: make tests/node/node_modules"
    command = [NODE, str(NODE_FOLDER / "parse_asyncapi.mjs")]
    ran = subprocess.run(command, input=json.dumps(document), capture_output=True, text=True, check=True)
    return [finding for finding in json.loads(ran.stdout) if finding["severity"] in {ERROR, WARNING}]


class Messages:
    """The messages of a document, by channel and name."""

    def __init__(self, document: dict[str, Any]) -> None:
        components = {"components": document["components"]}
        self._validators = {
            name: (Draft7Validator(message["headers"] | components), Draft7Validator(message["payload"] | components))
            for name, message in document["components"]["messages"].items()
        }
        self._of_channel = {name: list(channel["messages"]) for name, channel in document["channels"].items()}

    def faults(self, name: str, headers: object, payload: object) -> list[str]:
        """How headers and payload differ from the document's description of the message; empty if they do not."""
        of_headers, of_payload = self._validators[name]
        errors = [*of_headers.iter_errors(headers), *of_payload.iter_errors(payload)]
        return [f"{error.json_path}: {error.message}" for error in errors]

    def matching(self, channel: str, headers: Iterable[tuple[str, bytes]], payload: object) -> list[str]:
        """The names of the channel's messages that describe the record."""
        as_text = {name: value.decode() for name, value in headers}
        return [name for name in self._of_channel[channel] if not self.faults(name, as_text, payload)]
