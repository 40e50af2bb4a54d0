"""How much a file may become: a small one can describe a model without end."""

from otgate_iec61850.scl.notes import SclRefused

MAX_LEAVES = 5_000_000
"""Attributes of all IEDs together that are resolved; a large station has about 2 million."""

MAX_EXPANDED = 1_000_000
"""Attributes that stand in data sets, all together."""

MAX_INSTANCES = 50_000
"""Instances of report control blocks, all together; a large server has some 100."""


class Budget:
    """What a file has been resolved to so far."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.leaves = 0
        self.expanded = 0
        self.instances = 0

    def resolve(self, leaves: int, line: int) -> None:
        """Count the attributes of a server.

        Raises:
            SclRefused: the file has become larger than any real one.
        """
        self.leaves += leaves
        if self.leaves > MAX_LEAVES:
            message = f"the file describes more than {MAX_LEAVES:,} attributes"
            raise SclRefused(self.file, f"{message}; take one IED at a time", line)

    def expand(self, line: int) -> None:
        """Count an attribute of a data set.

        Raises:
            SclRefused: the data sets have become larger than any real ones.
        """
        self.expanded += 1
        if self.expanded > MAX_EXPANDED:
            message = f"the data sets hold more than {MAX_EXPANDED:,} attributes"
            raise SclRefused(self.file, f"{message}; take one IED at a time", line)

    def instantiate(self, count: int, line: int) -> None:
        """Count instances of report control blocks.

        Raises:
            SclRefused: there are more than in any real file.
        """
        self.instances += count
        if self.instances > MAX_INSTANCES:
            message = f"the file has more than {MAX_INSTANCES:,} report control blocks"
            raise SclRefused(self.file, f"{message}; take one IED at a time", line)
