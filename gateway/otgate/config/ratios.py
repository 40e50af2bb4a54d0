"""Ratios of instrument transformers: `400/5`, and what a point says of those that apply to it."""

import re
from collections.abc import Mapping
from fractions import Fraction

from otgate.config.forms import ID_PATTERN
from otgate.config.nearest import did_you_mean
from otgate.scaling import quotient

SYNTAX = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:\s*/\s*([0-9]+(?:\.[0-9]+)?))?")
NAME = re.compile(ID_PATTERN.removesuffix("$"))
LEAST, GREATEST = Fraction(1, 10**6), Fraction(10**9)
HELP = "primary over secondary, as in `400/5`, or their quotient, as in `80`"


class BadRatio(Exception):
    """What is wrong with a ratio: message and help."""

    def __init__(self, message: str, help_: str = HELP) -> None:
        super().__init__(message)
        self.message = message
        self.help = help_


def read_ratio(text: str) -> Fraction:
    """Read ``400/5`` or ``80``.

    Raises:
        BadRatio: it is none, or none of a transformer.
    """
    found = SYNTAX.fullmatch(text.strip())
    if found is None:
        raise BadRatio(f"`{text}` is no ratio")
    primary, secondary = Fraction(found[1]), Fraction(found[2] or 1)
    if not primary or not secondary or not LEAST <= primary / secondary <= GREATEST:
        raise BadRatio(f"`{text}` is the ratio of no instrument transformer")
    return primary / secondary


def applied(cell: str, ratios: Mapping[str, float]) -> float:
    """Return the product of the ratios that a point names, such as ``ct pt``, or gives itself.

    Raises:
        BadRatio: the device has none of that name.
    """
    product = Fraction(1)
    for part in cell.replace("*", " ").split():
        if NAME.fullmatch(part) and not part.isdecimal():
            if part not in ratios:
                known = did_you_mean(part, ratios, otherwise="the device has")
                help_ = known if ratios else f"add `ratios: {{{part}: 400/5}}` to the device"
                raise BadRatio(f"the device has no ratio `{part}`", help_)
            product *= quotient(ratios[part])
        else:
            product *= read_ratio(part)
    return float(product)
