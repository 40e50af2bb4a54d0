"""Takes a running side over: at SIGUSR2 it does what it finds ordered, inside its sandbox.

A test puts this folder on PYTHONPATH of the side, writes orders (names and lines of Python) into
the folder in ``OTGATE_TEST_ORDERS``, which the side may write, and reads there what came of them.
"""

import errno
import json
import os
import signal
from contextlib import suppress
from pathlib import Path


def take_over(*_: object) -> None:
    folder = Path(os.environ["OTGATE_TEST_ORDERS"])
    orders = json.loads((folder / "orders.json").read_text())
    part = folder / "found.part"
    part.write_text(json.dumps({name: came_of(order) for name, order in orders.items()}))
    part.rename(folder / "found.json")


def came_of(order: str) -> str:
    try:
        exec(order, {"os": os})
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except Exception as error:  # noqa: BLE001  whatever it is, the test has to see it
        return f"{type(error).__name__}: {error}"
    return "done"


with suppress(ValueError):  # not in the main thread
    signal.signal(signal.SIGUSR2, take_over)
