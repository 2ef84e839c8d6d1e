"""An org as the deciders see it, folded from its entries. It must not know topics, tables or time."""

from dataclasses import dataclass

from immutables import Map


@dataclass(frozen=True, slots=True)
class Project:
    name: str
    members: Map[str, str]
    """user id -> project role"""


@dataclass(frozen=True, slots=True)
class Org:
    name: str
    members: Map[str, str]
    """user id -> role"""
    owners: int
    """How many members are owners: counted as they change, because nobody can count 100,000 members per command."""
    projects: Map[str, Project]
    """project id -> project"""
