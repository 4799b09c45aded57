"""How much of a run's time is the engine's own: noticed while somebody flies, and told for the time that was theirs."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from pytest_wisebot.engine import loop as lag
from pytest_wisebot.engine.loop import NOTICED, PATIENCE, TICK, WAITS, LagMeter

if TYPE_CHECKING:
    from tests.unit.conftest import Clock


class Busy:
    """A meter, and whether somebody flies."""

    def __init__(self) -> None:
        self.busy = True
        self.meter = LagMeter(lambda: self.busy)
        self.meter.start()

    def since(self, moment: float) -> float:
        return round(self.meter.since(moment), 6)


async def stalled(clock: Clock, seconds: float) -> None:
    """The loop comes so much too late to its next tick, and has noticed it when this returns."""
    await asyncio.sleep(4.5 * TICK)
    clock.stall(TICK / 2 + seconds)
    await asyncio.sleep(2 * TICK)


def test_a_loop_that_is_on_time_adds_nothing(clock: Clock) -> None:
    """However long the run took."""

    async def main() -> None:
        one = Busy()
        await asyncio.sleep(5.0)
        assert one.since(0.0) == 0.0

    clock.run(main())


def test_what_the_loop_was_late_may_be_in_a_run_s_time(clock: Clock) -> None:
    """As many seconds as it came too late."""

    async def main() -> None:
        one = Busy()
        await stalled(clock, 0.3)
        assert one.since(0.0) == 0.3

    clock.run(main())


def test_what_is_late_at_this_very_moment_counts(clock: Clock) -> None:
    """The tick that has not come yet is late by now."""

    async def main() -> None:
        one = Busy()
        await asyncio.sleep(0)
        clock.stall(1.0)
        assert one.since(0.0) == round(1.0 - TICK, 6)

    clock.run(main())


def test_what_was_late_before_a_run_began_is_not_its_business(clock: Clock) -> None:
    """Only what is noticed after its first byte."""

    async def main() -> None:
        one = Busy()
        await stalled(clock, 0.3)
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(1.0)
        assert one.since(began) == 0.0
        await stalled(clock, 0.1)
        assert one.since(began) == 0.1

    clock.run(main())


def test_small_delays_are_the_scheduler_s_own(clock: Clock) -> None:
    """They are not added up."""

    async def main() -> None:
        one = Busy()
        for _ in range(WAITS):
            await stalled(clock, NOTICED * 0.9)
        assert one.since(0.0) == 0.0
        await stalled(clock, NOTICED * 1.1)
        assert one.since(0.0) == round(NOTICED * 1.1, 6)

    clock.run(main())


def test_no_more_delays_are_added_than_a_run_waits_for_the_loop(clock: Clock) -> None:
    """The worst of them: an exchange meets only so many."""

    async def main() -> None:
        one = Busy()
        for tenths in (1, 5, 2, 4, 3, 1):
            await stalled(clock, tenths / 10)
        assert one.since(0.0) == 1.4
        assert WAITS == 4

    clock.run(main())


def test_it_ends_when_nobody_flies_and_begins_anew(clock: Clock) -> None:
    """Starting it again while it runs changes nothing; what happens while it does not run goes unnoticed."""

    async def main() -> None:
        one = Busy()
        one.meter.start()
        await asyncio.sleep(1.0)
        one.busy = False
        await asyncio.sleep(TICK)
        clock.stall(3.0)
        await asyncio.sleep(0)
        assert one.since(0.0) == 0.0
        one.busy = True
        one.meter.start()
        await stalled(clock, 0.2)
        assert one.since(0.0) == 0.2

    clock.run(main())


# --- who gives way


def seconds_of_yielding(meter: LagMeter) -> float:
    begins = time.monotonic()
    meter.yield_to_loop()
    return time.monotonic() - begins


def test_a_test_gives_way_to_a_loop_that_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it has come to its next tick."""
    monkeypatch.setattr(lag, "PATIENCE", 60.0)

    async def main() -> None:
        one = Busy()
        test = threading.Thread(target=one.meter.yield_to_loop)
        time.sleep(TICK + 2 * NOTICED)  # noqa: ASYNC251 - the loop is busy: that is what this is about
        test.start()
        ends_at = time.monotonic() + 30
        while not one.meter._yielding and time.monotonic() < ends_at:
            time.sleep(0.001)  # noqa: ASYNC251
        assert test.is_alive()
        await asyncio.to_thread(test.join, 30)
        assert not test.is_alive()
        one.busy = False

    asyncio.run(main())


def test_a_test_gives_way_no_longer_than_its_patience_lasts() -> None:
    """To a loop that does not come at all."""
    one = LagMeter(lambda: True)
    one._ticking, one._due = True, time.monotonic() - 1
    assert seconds_of_yielding(one) >= PATIENCE


def test_a_test_gives_way_to_nobody_where_nobody_is_late() -> None:
    """Neither while nothing flies nor while the loop is on time."""
    assert seconds_of_yielding(LagMeter(lambda: True)) < PATIENCE

    async def main() -> None:
        one = Busy()
        await asyncio.sleep(2 * TICK)
        assert await asyncio.to_thread(seconds_of_yielding, one.meter) < PATIENCE
        one.busy = False

    asyncio.run(main())
