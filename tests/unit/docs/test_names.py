"""Checks names in the product's code, and the lengths of files and functions in all code."""

import ast
from collections import defaultdict

from support.documents import ROOT

LONGEST, LONGEST_FUNCTION = 250, 40
PRODUCT = ("contracts", "infra", "services")
FOUND = [path for folder in (*PRODUCT, "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
SOURCES = [path for path in FOUND if "node_modules" not in path.parts]


def test_no_public_class_name_stands_for_two_things() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    # The client gives commands and outcomes the names that they have in the contracts.
    of_product = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in PRODUCT]
    for path in [path for path in of_product if "client" not in path.parts]:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_a_long_file_gives_its_reason_at_the_top() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in SOURCES}
    long = {name: text for name, text in texts.items() if len(text.splitlines()) > LONGEST}
    docstrings = {name: ast.get_docstring(ast.parse(text)) or "" for name, text in long.items()}
    assert [name for name, docstring in docstrings.items() if f"Over {LONGEST} lines" not in docstring] == []


def test_no_function_is_too_long() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _lines_of(node) > LONGEST_FUNCTION
    ]
    assert long == []


def _lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1
