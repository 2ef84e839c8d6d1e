"""Runs `daybook` with a probe in its event loop: every stall of at least FEWEST_SECONDS of CPU becomes a line in the
file that BENCH_STALLS names. A line has the time (of `time.perf_counter`), the seconds by the clock, and the seconds of
CPU of the loop's thread. The CPU seconds are what the stall would take without other load. Both are up to TICK_SECONDS
too long. The start does not count, up to the moment when its objects are frozen: no partition is assigned before that.
"""

import asyncio
import gc
import os
import sys
import time
from typing import TextIO

import uvloop

from daybook_infra.operations.cli import main

TICK_SECONDS = 0.002
FEWEST_SECONDS = 0.005

new_event_loop = uvloop.new_event_loop


class Probe:
    def __init__(self, loop: asyncio.AbstractEventLoop, out: TextIO) -> None:
        self._loop, self._out = loop, out
        self._clock, self._cpu, self._serves = time.perf_counter(), time.thread_time(), False

    def tick(self) -> None:
        clock, cpu = time.perf_counter(), time.thread_time()
        if cpu - self._cpu >= FEWEST_SECONDS and self._serves:
            self._out.write(f"{clock} {clock - self._clock} {cpu - self._cpu}\n")
            self._out.flush()
        self._clock, self._cpu, self._serves = clock, cpu, gc.get_freeze_count() > 0
        self._loop.call_later(TICK_SECONDS, self.tick)


def probed_loop() -> uvloop.Loop:
    loop = new_event_loop()
    out = open(os.environ["BENCH_STALLS"], "a", encoding="ascii")  # noqa: PTH123, SIM115 - open as long as the loop
    loop.call_soon(Probe(loop, out).tick)
    return loop


if __name__ == "__main__":
    uvloop.new_event_loop = probed_loop
    sys.argv[0] = "daybook"
    main()
