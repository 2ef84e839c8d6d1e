"""Runs docs/examples/verify.mjs on folders of exports; returns its exit codes and output."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from support.chain import Json, jcs
from support.documents import ROOT
from support.exports import Export, Files
from support.node import NODE

PROGRAM = ROOT / "docs" / "examples" / "verify.mjs"

MANY = """
    const [program, ...folders] = process.argv.slice(1);
    const { stdout, stderr } = process;
    const write = stdout.write.bind(stdout);
    const answers = [];
    for (const folder of folders) {
      const answer = { stdout: '', stderr: '' };
      stdout.write = (text) => { answer.stdout += text; };
      stderr.write = (text) => { answer.stderr += text; };
      process.argv = [process.argv[0], program, folder, '--json'];
      await import(`${program}?${folder}`);
      answers.push({ ...answer, returncode: process.exitCode });
    }
    process.exitCode = 0;
    write(JSON.stringify(answers));
"""
"""Runs a fresh copy of the program for each folder, all in one process: hundreds of processes would take minutes."""


class Answer(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def verify(*args: str | Path) -> Answer:
    """Runs the program as a reader does."""
    done = subprocess.run([NODE, PROGRAM, *args], capture_output=True, check=False, timeout=60)
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def verify_each(folders: Sequence[Path]) -> list[Answer]:
    command: list[str | Path] = [NODE, "--input-type=module", "--eval", MANY, PROGRAM.as_uri(), *folders]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=100)
    return [Answer(**answer) for answer in json.loads(done.stdout)]


def report_in(answer: Answer) -> Json:
    """The verifier's JSON report, after checks of its form and of the exit code."""
    assert answer.stderr == ""
    report: Json = json.loads(answer.stdout, parse_int=_number)
    assert jcs(report).decode() + "\n" == answer.stdout
    assert report.keys() == {"findings", "more", "partitions", "redacted", "result"}
    assert (answer.returncode, report["result"]) == ((1, "invalid") if report["findings"] else (0, "valid"))
    return report


def _number(text: str) -> int | float:
    return int(text) if abs(int(text)) < 2**53 else float(text)


def report_on(files: Files, folder: Path) -> Json:
    return report_in(verify(Export("", files).write(folder), "--json"))
