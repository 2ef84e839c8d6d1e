"""One word for one thing: names and sizes of the product's code."""

import ast
from collections import defaultdict

from support.documents import ROOT

LONGEST = 250
SOURCES = [path for folder in ("contracts", "infra", "services") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_no_public_class_name_stands_for_two_things() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in SOURCES:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_a_long_file_gives_its_reason_at_the_top() -> None:
    long = [path for path in SOURCES if len(path.read_text("utf-8").splitlines()) > LONGEST]
    silent = [
        path for path in long if f"Over {LONGEST} lines" not in (ast.get_docstring(ast.parse(path.read_text())) or "")
    ]
    assert [str(path.relative_to(ROOT)) for path in silent] == []
