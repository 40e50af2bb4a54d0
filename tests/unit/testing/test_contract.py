"""The guide's driver keeps the contract, on both loops."""

import pytest

from tally import TallyKeeps


@pytest.mark.both_loops
class TestTally(TallyKeeps):
    """Every clause of the kit."""
