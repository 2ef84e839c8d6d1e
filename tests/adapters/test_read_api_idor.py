"""Requests every endpoint below `/v1/orgs/{org_id}` with ids of another org, as an owner and as a stranger: all answers
are the same 404. In the caller's own org, things of a hidden project are 404 too.
"""

from collections.abc import Iterator
from itertools import product

from daybook_projector.read_api.resources import RESOURCES
from support.driving import fresh_id
from support.read_scene import ReadOrg, ReadScene
from support.reading import ReadApi

SHARED_DATABASE = True
IDS = {
    "org_id": "org_id",
    "user_id": "people",
    "project_id": "projects",
    "connection_id": "connections",
    "sync_run_id": "runs",
    "dead_letter_id": "letters",
    "alert_id": "alerts",
    "secret_ref_id": "refs",
    "entry_id": "entries",
}
"""For each parameter of a path, the field of `ReadOrg` that has its ids."""


def ids_of(org: ReadOrg, parameter: str) -> tuple[str, ...]:
    found = getattr(org, IDS[parameter])
    return (found,) if isinstance(found, str) else found


def paths(api: ReadApi) -> list[str]:
    """The paths of an org in the app's OpenAPI document, so that none is forgotten."""
    found = [path for path in documented(api) if path.startswith("/v1/orgs/{")]
    assert {path for r in RESOURCES for path in (r.path, r.item_path)} - {"/v1/orgs"} <= set(found)
    return found


def documented(api: ReadApi) -> list[str]:
    return list(api.app.openapi()["paths"])


def parameters(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def foreign_urls(path: str, own: ReadOrg, other: ReadOrg) -> Iterator[str]:
    """The path with ids of either org and unknown ids in all combinations, except those with only ids of `own`."""
    choices = [
        [
            *((id_, own) for id_ in ids_of(own, name)[:2]),
            *((id_, other) for id_ in ids_of(other, name)),
            (fresh_id(), None),
        ]
        for name in parameters(path)
    ]
    for chosen in product(*choices):
        if any(org is not own for _, org in chosen):
            yield path.format(**dict(zip(parameters(path), (id_ for id_, _ in chosen), strict=True)))


async def test_ids_of_another_org_are_answered_like_unknown_ids(api: ReadApi, scene: ReadScene) -> None:
    urls = {url for path in paths(api) for url in foreign_urls(path, scene.own, scene.other)}
    urls -= {f"{scene.own.path}/members/{user}" for user in scene.own.people}
    assert len(urls) > 200
    bodies = set()
    for url in sorted(urls):
        answer = await api.get(url, f"user:{scene.own.owner}")
        assert answer.status_code == 404, url
        bodies.add((answer.content, *sorted(answer.headers.items())))
    assert len(bodies) == 1


async def test_a_stranger_finds_nothing(api: ReadApi, scene: ReadScene) -> None:
    bodies = set()
    for path in paths(api):
        for org in (scene.own, scene.other):
            url = path.format(**{name: ids_of(org, name)[0] for name in parameters(path)})
            answer = await api.get(url, f"user:{scene.stranger}")
            assert answer.status_code == 404, url
            bodies.add((answer.content, *sorted(answer.headers.items())))
    for wrong in ("x", "0199f000-0000-7000-8000-00000000b00", "{0199f000-0000-7000-8000-00000000b00c}", "%00"):
        answer = await api.get(f"/v1/orgs/{wrong}", f"user:{scene.stranger}")
        bodies.add((answer.content, *sorted(answer.headers.items())))
    assert len(bodies) == 1


async def test_things_of_another_project_are_hidden_in_ones_own_org(api: ReadApi, scene: ReadScene) -> None:
    org, watcher = scene.own, f"user:{scene.own.watcher}"
    visible = {
        *(f"connections/{org.connections[0]}", f"projects/{org.projects[0]}", f"projects/{org.projects[1]}"),
        *(f"projects/{org.projects[0]}/members/{user}" for user in (org.editor, org.watcher)),
        *(f"sync-runs/{id_}" for id_ in org.runs[::2]),
        *(f"alerts/{id_}" for id_ in org.alerts[::2]),
        *(f"members/{user}" for user in org.people),
    }
    hidden = {
        f"connections/{org.connections[1]}",
        *(f"sync-runs/{id_}" for id_ in org.runs[1::2]),
        *(f"alerts/{id_}" for id_ in org.alerts[1::2]),
        *(f"dead-letters/{id_}" for id_ in org.letters),
        *(f"secret-refs/{id_}" for id_ in org.refs),
        *(f"audit-log/{id_}" for id_ in org.entries),
    }
    for path in sorted(visible | hidden):
        answer = await api.get(f"{org.path}/{path}", watcher)
        assert answer.status_code == (200 if path in visible else 404), path
