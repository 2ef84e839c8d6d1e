"""The client while connections are cut, delayed and half-closed, data is discarded, and services are killed. No command
is lost or decided twice, each org's commands are decided in order, and every unknown outcome is known in the end.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from chaos.history import History
from chaos.proxy import NORMAL, Behaviour, Direction, Proxy
from chaos.scene import Scene, open_scene
from daybook_client import Accepted, Daybook, Outcome, Unknown, commands
from daybook_client.command import Command
from daybook_client.send_queues import HELD_BACK
from daybook_infra.stack.interface import Part
from support.driving import fresh_ids
from support.publisher import token
from support.replay import check_chain, read_log

pytestmark = [
    pytest.mark.timeout(600),
    # An aiokafka client whose start is cancelled leaves its first connection to the garbage collector.
    pytest.mark.filterwarnings("ignore:Unclosed AIOKafkaConnection:ResourceWarning"),
]

COMMANDS = 10_000
ORGS = 10
FAULTS = 40
PART = 500
DEADLINE_SECONDS = 3.0
IN_FLIGHT = 150  # few, so that the run lasts through many faults
ROUNDS = 100
PRINCIPAL = "service:shop"
ANSWERS = frozenset({Direction.ANSWERS})
BEHAVIOURS = (
    Behaviour(share=0.5, swallowed=ANSWERS),
    Behaviour(share=0.5, swallowed=frozenset({Direction.REQUESTS})),
    Behaviour(share=0.7, delay=0.3),
    Behaviour(share=0.7, held=True),
    Behaviour(share=0.5, refused=True),
)


@asynccontextmanager
async def scene_and_door(folder: Path, random: Random) -> AsyncIterator[tuple[Scene, Proxy]]:
    """A system, and a proxy in front of one instance of the command service. Kafka and PostgreSQL are behind proxies
    too.
    """
    async with AsyncExitStack() as closing:
        file = closing.enter_context((folder / "history.jsonl").open("w", encoding="utf-8"))
        scene = await closing.enter_async_context(open_scene(folder, random, History(file)))
        door = Proxy(random, target=scene.fleet.of("command")[0].port)
        await door.start()
        closing.push_async_callback(door.stop)
        yield scene, door


async def inject(scene: Scene, door: Proxy, random: Random, faults: Counter[str]) -> None:
    """Injects faults until it is cancelled, and counts those that hit anything."""
    while True:
        proxy = random.choice([door, door, scene.proxies[Part.KAFKA]])
        match random.choice(["cut", "half_close", "behave", "behave", "kill"]):
            case "cut":
                faults["cut"] += proxy.cut(random.random()) > 0
            case "half_close":
                faults["half_close"] += proxy.half_close(0.5, random.choice(list(Direction))) > 0
            case "behave":
                behaviour = random.choice(BEHAVIOURS)
                faults[str(behaviour)] += 1
                proxy.behave(behaviour)
            case _:
                slot = random.choice(scene.fleet.slots)
                faults[f"kill {slot.role}"] += 1
                await scene.fleet.kill(slot)
        await asyncio.sleep(random.uniform(0.1, 1.2))
        for each in (door, scene.proxies[Part.KAFKA]):
            each.behave(NORMAL)
        scene.fleet.resume()
        await asyncio.sleep(random.uniform(0.05, 0.3))


async def create_orgs(daybook: Daybook, orgs: Sequence[str]) -> str:
    """Creates the orgs; returns their owner."""
    (user,) = fresh_ids(1)
    registered = await daybook.send(commands.RegisterUser(user_id=user))
    assert isinstance(registered, Accepted)
    await registered.visible(timeout=30)
    for org in orgs:
        created = await daybook.send(commands.CreateOrg(org_id=org, actor_user_id=user, name="Org"))
        assert isinstance(created, Accepted)
    return user


def random_commands(random: Random, owner: str, orgs: Sequence[str], start: int) -> list[Command]:
    """PART random commands. Their names are the numbers from `start` on."""
    return [
        commands.CreateProject(org_id=org, actor_user_id=owner, name=f"{at}")
        if random.random() < 0.2
        else commands.RenameOrg(org_id=org, actor_user_id=owner, name=f"{at}")
        for at, org in enumerate(random.choices(orgs, k=PART), start)
    ]


async def send_until_known(daybook: Daybook, asked: Sequence[Command], unknown: Counter[str]) -> dict[str, Outcome]:
    """Sends commands with unknown outcomes again, in order, until all outcomes are known. Counts the unknown outcomes,
    except those of commands that were held back, by their reasons.
    """
    known: dict[str, Outcome] = {}
    for _ in range(ROUNDS):
        left = [command for command in asked if command.id not in known]
        async for outcome in daybook.send_many(left, deadline=DEADLINE_SECONDS, in_flight=IN_FLIGHT):
            if isinstance(outcome, Unknown):
                unknown[outcome.reason] += outcome.reason != HELD_BACK
            else:
                known[outcome.command.id] = outcome
        if len(known) == len(asked):
            return known
    raise AssertionError(f"{len(asked) - len(known)} outcomes are still unknown")


@pytest.mark.parametrize("seed", [1])
async def test_every_command_is_decided_once_and_in_order(seed: int, tmp_path: Path) -> None:
    random, faults, unknown = Random(seed), Counter[str](), Counter[str]()
    async with scene_and_door(tmp_path, random) as (scene, door):
        settings = scene.settings
        over_http = Daybook.over_http(
            f"http://127.0.0.1:{door.port}", token=token(settings, PRINCIPAL), attempt_seconds=1.5
        )
        over_kafka = Daybook.over_kafka(
            settings.kafka_bootstrap, principal=PRINCIPAL, topic_prefix=settings.topic_prefix, attempt_seconds=1.5
        )
        async with over_http, over_kafka:
            orgs = fresh_ids(2 * ORGS)
            owner = await create_orgs(over_http, orgs)
            asked: list[Command] = []
            outcomes: dict[str, Outcome] = {}
            injecting = asyncio.create_task(inject(scene, door, random, faults))
            try:
                # On a fast machine, COMMANDS are decided before enough faults have happened.
                while len(asked) < COMMANDS or faults.total() < FAULTS or not unknown.total():
                    parts = [random_commands(random, owner, half, len(asked)) for half in (orgs[:ORGS], orgs[ORGS:])]
                    sending = [
                        send_until_known(way, part, unknown)
                        for way, part in zip((over_http, over_kafka), parts, strict=True)
                    ]
                    for part, known in zip(parts, await asyncio.gather(*sending), strict=True):
                        asked += part
                        outcomes |= known
            finally:
                injecting.cancel()
                await asyncio.wait([injecting])
                for proxy in (door, *scene.proxies.values()):
                    proxy.behave(NORMAL)
                scene.fleet.resume()
        assert scene.fleet.crashes == []
        await check(scene, asked, outcomes)


async def check(scene: Scene, asked: Sequence[Command], outcomes: dict[str, Outcome]) -> None:
    log = await read_log(scene.settings)
    for chain in log:
        check_chain(chain)
    counted = Counter(entry["metadata_json"]["command_id"] for chain in log for entry in chain.entries)
    assert {counted[command.id] for command in asked} == {1}
    places = defaultdict[str, list[int]](list)
    for command in asked:
        outcome = outcomes[command.id]
        assert isinstance(outcome, Accepted), outcome
        places[command.key].append(int(outcome.position.partition(".")[2]))
    assert [key for key, found in places.items() if any(one >= next_ for one, next_ in pairwise(found))] == []
