"""Random logs of a small world that a command service could have written: every entry fits what was before it."""

from dataclasses import dataclass, field

from hypothesis import strategies as st

from daybook_contracts.entries import facts
from daybook_contracts.entries.fields import Fact, ProjectRole, Role
from support.hub_histories import STEPS, Hub
from support.logbook import Logbook, org, project, user

ORGS, USERS, PROJECTS = 2, 3, 2
KINDS = 10
ALL_KINDS = KINDS + 2 * len(STEPS)
"""Of memberships, then twice those of the hub, where more can happen."""


@dataclass
class World:
    """Who is where in one org; `member` and `site` choose among few, so that rows are touched again and again."""

    number: int
    name: str = "a"
    members: dict[str, str] = field(default_factory=dict)
    projects: dict[str, dict[str, str]] = field(default_factory=dict)
    hub: Hub = field(init=False)

    def __post_init__(self) -> None:
        self.hub = Hub(self.number, project(self.number * 10))

    def next(self, kind: int, member: int, nth: int, role: Role) -> Fact | None:
        """One that can happen now, or None, of memberships or of the hub."""
        at = kind % ALL_KINDS
        if at < KINDS:
            return self.fact(at, user(member), nth, role)
        return self.hub.fact((at - KINDS) % len(STEPS), nth, member)

    def fact(self, kind: int, member: str, nth: int, role: Role) -> Fact | None:
        """One that can happen now, or None."""
        site = project(self.number * 10 + nth)
        if kind < 5:
            return self._of_org(kind, member, site, role)
        return self._of_project(kind, member, site, "admin" if role == "owner" else "viewer")

    def _of_org(self, kind: int, member: str, site: str, role: Role) -> Fact | None:
        is_member = member in self.members
        if kind == 0:
            return facts.OrgRenamed(name=role)
        if kind == 1 and not is_member:
            self.members[member] = role
            return facts.MemberAdded(role=role, user_id=member)
        if kind == 2 and is_member:
            self.members[member] = "viewer"
            lowered = self._projects_of(member)
            for project_id in lowered:
                self.projects[project_id][member] = "viewer"
            return facts.MemberUpdated(role="viewer", user_id=member, project_ids=lowered)
        if kind == 3 and is_member:
            del self.members[member]
            left = self._projects_of(member)
            for project_id in left:
                del self.projects[project_id][member]
            return facts.MemberRemoved(user_id=member, project_ids=left)
        if kind == 4 and site not in self.projects:
            self.projects[site] = {}
            return facts.ProjectCreated(name=role, project_id=site)
        return None

    def _of_project(self, kind: int, member: str, site: str, role: ProjectRole) -> Fact | None:
        members = self.projects.get(site)
        if members is None:
            return None
        if kind == 5:
            return facts.ProjectRenamed(name=role, project_id=site)
        if kind == 6 and member in self.members and member not in members:
            members[member] = role
            return facts.ProjectMemberAdded(project_id=site, role=role, user_id=member)
        if kind == 7 and member in members:
            members[member] = role
            return facts.ProjectMemberUpdated(project_id=site, role=role, user_id=member)
        if kind == 8 and member in members:
            del members[member]
            return facts.ProjectMemberRemoved(project_id=site, user_id=member)
        return facts.ProjectRenamed(name=role, project_id=site, changed=False) if kind == 9 else None

    def _projects_of(self, member: str) -> tuple[str, ...]:
        return tuple(sorted(project_id for project_id, members in self.projects.items() if member in members))


Step = tuple[int, int, int, int, Role, int]
ROLES: tuple[Role, ...] = ("owner", "viewer")
steps = st.tuples(
    st.integers(1, ORGS),
    st.integers(0, ALL_KINDS - 1),
    st.integers(1, USERS),
    st.integers(1, PROJECTS),
    st.sampled_from(ROLES),
    st.integers(1, 3),
)


def written(history: list[Step]) -> Logbook:
    """Up to three facts a command; a step that cannot happen is a refusal, every seventh leaves a void behind."""
    log = Logbook()
    for number in range(1, USERS + 1):
        log.register(user(number))
    worlds = {number: World(number) for number in range(1, ORGS + 1)}
    for number, world in worlds.items():
        world.members[user(1)] = "owner"
        log.add(org(number), user(1), facts.OrgCreated(name="a"))
        log.add(org(number), user(1), facts.ProjectCreated(name="hub", project_id=world.hub.project_id))
    for at, (number, kind, member, nth, role, entries) in enumerate(history):
        said = [worlds[number].next(kind + more, member, nth, role) for more in range(entries)]
        possible = [fact for fact in said if fact is not None]
        if possible:
            log.add(org(number), user(1), *possible)
        else:
            log.refuse(org(number), user(member), "RENAME_ORG", org(number), {"name": "x"})
        if at % 7 == 0:
            log.void(0)
    return log


histories = st.lists(steps, min_size=10, max_size=80).map(written)
