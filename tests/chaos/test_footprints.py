"""An instance grows if it uses more in the last third of its life than in the second third."""

import pytest

from chaos.footprints import JUDGED_SAMPLES, MIB, Footprint, Footprints, Life, growth, thirds

BASE = Footprint(80 * MIB, 30)


def life(*values: Footprint) -> Life:
    """Samples of an instance that had these values in the thirds of its life."""
    return [each for each in values for _ in range(JUDGED_SAMPLES // 3)]


def more(memory: float, descriptors: int = 0) -> Footprint:
    """BASE plus this many MiB of memory and this many descriptors."""
    return Footprint(BASE.memory + int(memory * MIB), BASE.descriptors + descriptors)


@pytest.mark.parametrize("last", [BASE, more(-20, -10), more(8), more(0, 5)])
def test_a_life_that_only_fills_its_caches_is_flat(last: Footprint) -> None:
    assert growth(life(Footprint(20 * MIB, 10), BASE, last)) is None


@pytest.mark.parametrize("last", [more(8.1), more(0, 6)])
def test_a_life_that_uses_more_at_the_end_grows(last: Footprint) -> None:
    assert growth(life(BASE, BASE, last)) == f"{BASE}, then {last}"


def test_a_large_instance_may_grow_by_a_tenth() -> None:
    large = Footprint(200 * MIB, 30)
    assert growth(life(large, large, Footprint(219 * MIB, 30))) is None
    assert growth(life(large, large, Footprint(221 * MIB, 30))) is not None


def test_a_temporary_increase_is_not_growth() -> None:
    blip = [*life(BASE, BASE), *[more(50, 90)] * 5, *[BASE] * 7]
    assert growth(blip) is None


def test_thirds_are_summarised_by_their_medians() -> None:
    assert thirds([more(number) for number in range(9)]) == (more(1), more(4), more(7))


def test_only_long_lives_are_judged_and_at_least_one_is_required() -> None:
    growing = life(BASE, BASE, more(9))
    watch = Footprints(print, {"command-1#3": growing[1:]})
    assert watch.problems() == ["no instance lived for 180 s, so none was judged"]
    watch.lives["command-0#1"] = growing
    assert watch.problems() == [f"command-0#1 grows: {BASE}, then {more(9)}"]
