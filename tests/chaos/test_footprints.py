"""When a life counts as flat: what it holds in its last third is what it held in its second."""

import pytest

from chaos.footprints import JUDGED_SAMPLES, MIB, Footprint, Footprints, Life, growth, thirds

HELD = Footprint(80 * MIB, 30)


def life(*thirds: Footprint) -> Life:
    return [each for each in thirds for _ in range(JUDGED_SAMPLES // 3)]


def more(memory: float, descriptors: int = 0) -> Footprint:
    """Than is held, in MiB and descriptors."""
    return Footprint(HELD.memory + int(memory * MIB), HELD.descriptors + descriptors)


@pytest.mark.parametrize("last", [HELD, more(-20, -10), more(8), more(0, 5)])
def test_a_life_is_flat_that_fills_its_caches_first_and_then_holds_little_more(last: Footprint) -> None:
    assert growth(life(Footprint(20 * MIB, 10), HELD, last)) is None


@pytest.mark.parametrize("last", [more(8.1), more(0, 6)])
def test_a_life_grows_that_holds_more_in_the_end(last: Footprint) -> None:
    assert growth(life(HELD, HELD, last)) == f"{HELD}, then {last}"


def test_a_large_one_may_grow_by_a_tenth() -> None:
    large = Footprint(200 * MIB, 30)
    assert growth(life(large, large, Footprint(219 * MIB, 30))) is None
    assert growth(life(large, large, Footprint(221 * MIB, 30))) is not None


def test_what_a_fault_holds_up_for_a_while_is_no_growth() -> None:
    blip = [*life(HELD, HELD), *[more(50, 90)] * 5, *[HELD] * 7]
    assert growth(blip) is None


def test_thirds_are_told_by_their_medians() -> None:
    assert thirds([more(at) for at in range(9)]) == (more(1), more(4), more(7))


def test_only_who_lived_long_enough_is_judged_and_somebody_must_have() -> None:
    grown = life(HELD, HELD, more(9))
    watch = Footprints(print, {"command-1#3": grown[1:]})
    assert watch.wrong() == ["nobody lived for 180 s, so nobody was judged"]
    watch.lives["command-0#1"] = grown
    assert watch.wrong() == [f"command-0#1 grows: {HELD}, then {more(9)}"]
