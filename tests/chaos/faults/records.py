"""Foreign records: a foreign writer appends to the log, and commands are published again, to the right partition or to
a wrong one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

from aiokafka.errors import KafkaError

from chaos.fault import Fault, Heal, no_heal
from chaos.offsets import without_offsets
from chaos.proxy import NORMAL, Behaviour
from chaos.pursuit import pursuing
from chaos.scene import PARTITIONS, Scene
from daybook_infra.stack.interface import Part
from support.chain import Chain, Json, jcs, partition_of
from support.forgeries import VOID, usurping
from support.forging import append
from support.publisher import Publisher
from support.replay import read_log

# Some faults first read the whole log, which may take a while.
SECONDS = 60.0
REPEATED_COMMANDS = 40
REPEATED_RECORDS = 20
USURPATIONS = 4
LOG_WRITER = b"daybook-command-log-writer"
"""The client id with which shards append."""


async def _forge(scene: Scene, draw: Random) -> None:
    """Appends one record of every kind that does not extend the log, all for the org of the last entry."""
    chain = draw.choice([chain for chain in await _long_logs(scene) if chain.entries[-1]["org_id"] is not None])
    await append(scene.settings, chain.partition, [make(chain) for make in draw.sample(VOID, len(VOID))])


async def _repeat(scene: Scene, draw: Random) -> None:
    """Appends the last records of a log again, as a late retry of their batch would."""
    chain = draw.choice(await _long_logs(scene))
    await append(scene.settings, chain.partition, [jcs(entry) for entry in chain.entries[-REPEATED_RECORDS:]])


async def _usurp(scene: Scene, draw: Random) -> None:
    """Appends an entry to each log as soon as its head has moved, several times. If this entry comes before the shard's
    next batch, that batch is void, and the shard takes its partition over again.
    """
    chains = await _long_logs(scene)
    async with pursuing(scene.settings, chains) as pursuit:
        for chain in chains * USURPATIONS:
            orgs = [entry["org_id"] for entry in chain.entries if _creates_an_org(entry)]
            if orgs:
                await pursuit.catch_up(chain)
                send, value = usurping(chain, draw.choice(orgs))
                scene.history.expect(send, "usurp")
                await pursuit.append(chain, value)


async def _usurp_while(behaviour: Behaviour, scene: Scene, draw: Random) -> None:
    """Does what `_usurp` does, while the proxy in front of Kafka shows this behaviour."""
    proxy = scene.proxies[Part.KAFKA]
    if not proxy.serves(behaviour.only):
        raise LookupError
    proxy.behave(behaviour)
    try:
        await _usurp(scene, draw)
    finally:
        proxy.behave(NORMAL)


def _creates_an_org(entry: Json) -> bool:
    return (entry["action"], entry["result"]) == ("CREATE_ORG", "success")


async def _long_logs(scene: Scene) -> list[Chain]:
    """The logs that have at least the two entries that forgeries need. Raises LookupError if there is none."""
    found = [chain for chain in await read_log(scene.settings) if len(chain.entries) > 1]
    if not found:
        raise LookupError
    return found


async def _echo(scene: Scene, draw: Random) -> None:
    """Publishes commands again: some are answered already, some are being decided."""
    await _publish_again(scene, draw, misrouted=False)


async def _stray(scene: Scene, draw: Random) -> None:
    """Publishes commands again, like `_echo`, but to wrong partitions. Each is forwarded once."""
    await _publish_again(scene, draw, misrouted=True)


async def _publish_again(scene: Scene, draw: Random, *, misrouted: bool) -> None:
    history = scene.history
    old, waiting = list(history.promised), list(history.waiting)
    names = [
        *draw.sample(old, min(REPEATED_COMMANDS, len(old))),
        *draw.sample(waiting, min(REPEATED_COMMANDS, len(waiting))),
    ]
    async with Publisher(scene.settings) as publisher:
        for send in (history.sent[name] for name in names):
            own = partition_of(send.key, PARTITIONS)
            partition = (own + draw.randrange(1, PARTITIONS)) % PARTITIONS if misrouted else own
            headers = [("daybook-principal", send.principal.encode())]
            history.expect(send, "echo")
            await publisher.publish_raw(send.key, send.body, headers, partition)


async def _write_once(write: Callable[[Scene, Random], Awaitable[None]], scene: Scene, draw: Random) -> Heal | None:
    try:
        async with asyncio.timeout(SECONDS):
            await write(scene, draw)
    except (KafkaError, OSError, TimeoutError, LookupError):
        return None
    return no_heal


RECORDS = [
    Fault(title, frozenset({Part.KAFKA}), (0.1, 0.5), partial(_write_once, write))
    for title, write in (
        ("forge records", _forge),
        ("repeat records", _repeat),
        ("usurp the log", _usurp),
        # The batches are acknowledged without their offsets.
        ("usurp without offsets", partial(_usurp_while, Behaviour(changed=without_offsets, only=LOG_WRITER))),
        ("echo commands", _echo),
        ("send commands astray", _stray),
    )
]
