"""Others write to the topics: a rogue to the audit log, and publishers whose records come again, late, or astray."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

from aiokafka.errors import KafkaError

from chaos.fault import Fault, Heal, nothing
from chaos.pursuit import pursuing
from chaos.scene import PARTITIONS, Scene
from daybook_infra.stack.interface import Part
from support.chain import Chain, Json, jcs, partition_of
from support.forgeries import VOID, usurping
from support.forging import append
from support.publisher import Publisher
from support.replay import read_log

# A long log takes its time to be read.
SECONDS = 60.0
ECHOES = 40
AGAIN = 20


async def _forge(scene: Scene, draw: Random) -> None:
    """Records of every kind that do not extend the log, in the name of the org that stands last in it."""
    chain = draw.choice([chain for chain in await _long_logs(scene) if chain.entries[-1]["org_id"] is not None])
    await append(scene.settings, chain.partition, [make(chain) for make in draw.sample(VOID, len(VOID))])


async def _repeat(scene: Scene, draw: Random) -> None:
    """The log's own last records once more, as a late retry of their batch would be."""
    chain = draw.choice(await _long_logs(scene))
    await append(scene.settings, chain.partition, [jcs(entry) for entry in chain.entries[-AGAIN:]])


async def _usurp(scene: Scene, draw: Random) -> None:
    """An entry on each head as soon as that has moved: where nobody was faster, the shard has lost the race."""
    chains = await _long_logs(scene)
    async with pursuing(scene.settings, chains) as pursuit:
        for chain in chains:
            orgs = [made["org_id"] for made in chain.entries if _makes_an_org(made)]
            if orgs:
                await pursuit.catch_up(chain)
                send, value = usurping(chain, draw.choice(orgs))
                scene.history.expect(send, "usurp")
                await pursuit.append(chain, value)


def _makes_an_org(entry: Json) -> bool:
    return (entry["action"], entry["result"]) == ("CREATE_ORG", "success")


async def _long_logs(scene: Scene) -> list[Chain]:
    """Of these partitions there is something to forge. Raises LookupError if there is none."""
    found = [chain for chain in await read_log(scene.settings) if len(chain.entries) > 1]
    if not found:
        raise LookupError
    return found


async def _echo(scene: Scene, draw: Random) -> None:
    """Commands come again: long after they were answered, and while they are decided."""
    await _publish_again(scene, draw, astray=False)


async def _stray(scene: Scene, draw: Random) -> None:
    """The same, in partitions that are not theirs: each is sent on once."""
    await _publish_again(scene, draw, astray=True)


async def _publish_again(scene: Scene, draw: Random, *, astray: bool) -> None:
    history = scene.history
    old, waiting = list(history.promised), list(history.waiting)
    names = [*draw.sample(old, min(ECHOES, len(old))), *draw.sample(waiting, min(ECHOES, len(waiting)))]
    async with Publisher(scene.settings) as publisher:
        for send in (history.sent[name] for name in names):
            own = partition_of(send.key, PARTITIONS)
            partition = (own + draw.randrange(1, PARTITIONS)) % PARTITIONS if astray else own
            headers = [("daybook-principal", send.principal.encode())]
            await publisher.raw(send.key, send.body, headers, partition)


async def _once(write: Callable[[Scene, Random], Awaitable[None]], scene: Scene, draw: Random) -> Heal | None:
    try:
        async with asyncio.timeout(SECONDS):
            await write(scene, draw)
    except (KafkaError, OSError, TimeoutError, LookupError):
        return None
    return nothing


RECORDS = [
    Fault(title, frozenset({Part.KAFKA}), (0.1, 0.5), partial(_once, write))
    for title, write in (
        ("forge records", _forge),
        ("repeat records", _repeat),
        ("usurp the log", _usurp),
        ("echo commands", _echo),
        ("send commands astray", _stray),
    )
]
