"""The type of options that are numbers with a fraction."""

import math
from typing import Any

import click


class Number(click.FloatRange):
    """Refuses `nan`, which `FloatRange` accepts because `nan` is neither below nor above a limit."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number
