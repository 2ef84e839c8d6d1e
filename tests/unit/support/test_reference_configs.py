"""The tests' own rules for configs give the same result as Daybook's, for valid configs and for each kind of fault."""

from random import Random

import pytest

from daybook_contracts.connection_types.configs import InvalidConfig, checked_config
from support import rules_configs
from support.chain import Json, jcs
from support.draws import Draws, new_id
from support.workload_configs import TYPES, WRONG, right_config
from support.world import Refused

ORG: Json = {"secret_refs": {"1": {"key_name": "données"}}}


def draws(seed: int) -> Draws:
    random = Random(seed)
    return Draws(random, [new_id(random)])


@pytest.mark.parametrize("type_", TYPES)
def test_both_store_valid_configs_in_the_same_form(type_: str) -> None:
    for seed in range(50):
        config = right_config(draws(seed), ORG, type_)
        expected = rules_configs.checked_config(type_, config)
        assert jcs(checked_config(type_, config)) == jcs(expected), f"seed {seed}: {config}"


@pytest.mark.parametrize(("type_", "change"), WRONG)
def test_both_refuse_invalid_configs(type_: str, change: Json) -> None:
    config = {**right_config(draws(0), ORG, type_), **change}
    with pytest.raises(Refused):
        rules_configs.checked_config(type_, config)
    with pytest.raises(InvalidConfig):
        checked_config(type_, config)
