"""`daybook audit verify --export` and docs/examples/verify.mjs, two programs written independently from one page, print
the same answer for every export, byte for byte.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import orjson
import pytest
from click.testing import CliRunner

from daybook_projector.audit.checks.finding import Check
from daybook_projector.audit.cli import audit
from support.example_verifier import Answer, verify, verify_each
from support.exports import Export, Files, export_of
from support.random_tampering import randomly_tampered, with_each_class_of_bytes
from support.tampered_exports import checkable_exports, tampered_exports, uncheckable_exports

SEED = 20261122
BATCHES, BATCH = 4, 150
SURPLUS: Files = {f"{number}": b"" for number in range(1200)}


def own_answer(folder: Path, *options: str) -> Answer:
    done = CliRunner().invoke(audit, ["verify", "--export", str(folder), *options])
    return Answer(done.exit_code, done.stdout_bytes.decode(), done.stderr)


def differences(exports: Iterable[Export], root: Path) -> list[tuple[str, Answer, Answer]]:
    """The exports with different answers, and both answers. Of stderr, only whether it is empty is compared."""
    written = []
    for at, export in enumerate(exports):
        (root / str(at)).mkdir()
        written.append((export.name, export.write(root / str(at))))
    theirs = verify_each([folder for _, folder in written])
    ours = [own_answer(folder, "--json") for _, folder in written]
    return [
        (name, one, other)
        for (name, _), one, other in zip(written, ours, theirs, strict=True)
        if one[:2] != other[:2] or bool(one.stderr) != bool(other.stderr)
    ]


def test_both_verifiers_agree_on_every_export_with_a_known_finding(tmp_path: Path) -> None:
    assert differences([*checkable_exports(), *uncheckable_exports()], tmp_path) == []


def test_both_verifiers_agree_on_more_findings_than_are_listed(tmp_path: Path) -> None:
    files = {partition: [b"garbage\n"] * (1500 if partition == 2 else 300) for partition in (0, 2, 5)}
    assert (
        differences([Export("garbage", export_of(files)), Export("surplus", export_of({}) | SURPLUS)], tmp_path) == []
    )
    assert orjson.loads(own_answer(tmp_path / "0", "--json").stdout)["more"] == 1100


@pytest.mark.parametrize("batch", range(BATCHES))
def test_both_verifiers_agree_on_randomly_tampered_exports(batch: int, tmp_path: Path) -> None:
    assert differences(randomly_tampered(SEED + batch, BATCH), tmp_path) == []


def test_both_verifiers_agree_on_each_class_of_bytes_at_random_places(tmp_path: Path) -> None:
    assert differences(with_each_class_of_bytes(SEED), tmp_path) == []


def test_the_random_exports_cause_every_finding(tmp_path: Path) -> None:
    seen = Counter[str]()
    for batch in range(BATCHES):
        for at, export in enumerate(randomly_tampered(SEED + batch, BATCH)):
            folder = tmp_path / f"{batch}-{at}"
            folder.mkdir()
            answer = own_answer(export.write(folder), "--json")
            report = orjson.loads(answer.stdout or "{}")
            seen.update(f"{each['place']} {each['check']}" for each in report.get("findings", []))
            seen.update(["could not check"] * (answer.returncode == 2) + ["valid"] * (answer.returncode == 0))
    entries = {f"export {check}" for check in get_args(Check) if check not in {"row", "activity"}}
    manifest = {f"manifest {check}" for check in ("unreadable", "canonical", "hash", "columns")}
    assert entries | manifest | {"valid", "could not check"} == set(seen), seen


def test_both_verifiers_print_the_same_text(tmp_path: Path) -> None:
    for at, export in enumerate([*tampered_exports()][::25]):
        (tmp_path / str(at)).mkdir()
        folder = export.write(tmp_path / str(at))
        assert own_answer(folder)[:2] == verify(folder)[:2]
