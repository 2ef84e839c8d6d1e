"""A new command needs edits to only five files: with them, a toy command works in a copy of the packages."""

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

from support.documents import ROOT

PACKAGES = ("contracts/daybook_contracts", "services/command/daybook_command", "services/projector/daybook_projector")

MODEL = '''

class ClearProjectNameData(Data):
    project_id: Uuid


class ClearProjectName(Envelope):
    """A toy."""

    type: Literal["CLEAR_PROJECT_NAME"]
    data: ClearProjectNameData
'''
ENTRY_DATA = """class ProjectNameCleared(Fact, frozen=True, kw_only=True):
    project_id: Uuid


"""
DECIDE_AND_EVOLVE = """from daybook_contracts.commands.projects import ClearProjectName
from daybook_contracts.entries.facts import ProjectNameCleared


def clear_project_name(command: ClearProjectName, _org: Org, project: Project, _context: DecisionContext) -> Ruling:
    return ProjectNameCleared(project_id=command.data.project_id)


def _cleared(org: Org, fact: ProjectNameCleared) -> Org:
    return with_project(org, fact.project_id, replace(org.projects[fact.project_id], name=""))


"""
FOLD_A_ROW = """from daybook_contracts.entries.facts import ProjectNameCleared


def cleared(_entry: Columns, fact: ProjectNameCleared) -> Iterable[Change]:
    return (Update(PROJECTS, (fact.project_id,), {"name": ""}),)


"""

EDITS: dict[str, dict[str, str]] = {
    "contracts/daybook_contracts/commands/projects.py": {
        "\n\nclass RenameProjectData": f"{MODEL}\n\nclass RenameProjectData"
    },
    "contracts/daybook_contracts/commands/registry.py": {
        "    | projects.RenameProject\n": "    | projects.RenameProject\n    | projects.ClearProjectName\n"
    },
    "contracts/daybook_contracts/entries/facts.py": {
        "class ProjectRenamed": f"{ENTRY_DATA}class ProjectRenamed",
        '    "RENAME_PROJECT"': '    "CLEAR_PROJECT_NAME": ProjectNameCleared,\n    "RENAME_PROJECT"',
    },
    "services/command/daybook_command/domain/projects.py": {
        "HANDLERS: Final": f"{DECIDE_AND_EVOLVE}HANDLERS: Final",
        "    ThingHandler(Rename": (
            "    ThingHandler(ClearProjectName, PROJECT_ADMINS, _PROJECT, clear_project_name),\n    ThingHandler(Rename"
        ),
        "FOLDS: Final = (": "FOLDS: Final = (OrgFold(ProjectNameCleared, _cleared), ",
    },
    "services/projector/daybook_projector/projections/projects.py": {
        "RULES: Rules = {": f"{FOLD_A_ROW}RULES: Rules = {{ProjectNameCleared: cleared, "
    },
}
"""For each file, the old texts and their replacements."""

CHECK = """
import json, sys
from immutables import Map
from daybook_command.domain.decide import decide
from daybook_command.domain.decision import DecisionContext
from daybook_command.domain.evolve import evolve
from daybook_command.domain.projects import Project
from daybook_command.domain.registry import FOLDS, HANDLERS
from daybook_command.domain.state import Org
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import COMMANDS
from daybook_contracts.entries.facts import ENTRY_DATA
from daybook_contracts.senders.principals import User
from daybook_projector.projections.fold import RULES

org_id, ann, web = (f"0a000000-0000-4000-8000-00000000000{digit}" for digit in "123")
org = Org(name="Acme", members=Map({ann: "owner"}), owners=1, projects=Map({web: Project("Web", Map())}))
envelope = {"id": org_id, "type": "CLEAR_PROJECT_NAME", "org_id": org_id, "actor_user_id": ann}
command = parse_command(json.dumps({**envelope, "data": {"project_id": web}}).encode())
(entry,) = decide(command, org, DecisionContext(User(ann), web, {ann}, (), managed_users=True)).entries
after = evolve(org, ann, entry.fact)
(update,) = next(rules for rules in RULES if type(entry.fact) in rules)[type(entry.fact)](None, entry.fact)
assert set(HANDLERS) == set(COMMANDS.values()) and set(FOLDS) == set(ENTRY_DATA.values())
print(entry.action, entry.entity_type, entry.entity_id == web, after.projects[web].name == "", update.values)
"""


def edited_copy(to: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, to / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, edits in EDITS.items():
        text = (to / name).read_text("utf-8")
        for old, new in edits.items():
            assert text.count(old) == 1, (name, old)
            text = text.replace(old, new)
        (to / name).write_text(text, "utf-8")
    return to


def test_a_new_command_needs_a_model_an_entry_a_decider_a_projection_and_one_registry_line(tmp_path: Path) -> None:
    copy = edited_copy(tmp_path)
    files = [str(path.relative_to(copy)) for path in copy.rglob("*.py")]
    _, changed, added = filecmp.cmpfiles(ROOT, copy, files, shallow=False)
    assert {*changed, *added} == set(EDITS)
    path = os.pathsep.join(str((copy / package).parent) for package in PACKAGES)
    python = [sys.executable, "-c", CHECK]
    run = subprocess.run(python, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert run.stdout == "CLEAR_PROJECT_NAME project True True {'name': ''}\n", run.stderr
