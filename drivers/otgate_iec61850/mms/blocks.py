"""Report control blocks over a client: read one, set one up. The order is `rcb`'s."""

from collections.abc import Sequence

from otgate_iec61850.mms.client import Client
from otgate_iec61850.mms.errors import AccessFailed, Rejected, ServiceFailed
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.rcb import (
    ControlBlock,
    Need,
    Setting,
    attribute_names,
    gathered,
    read_block,
)
from otgate_iec61850.mms.typespec import Type


async def read_control_block(
    client: Client, name: Name, described: Type | None = None
) -> ControlBlock:
    """Return a block as it is now, read at once or, where the server refuses, one by one.

    Raises:
        Malformed: it is no report control block.
    """
    (value,) = await client.read([Variable(name)])
    if isinstance(value, tuple):
        return read_block(name, value, described)
    names = attribute_names(name)
    parts = [Variable(Name(name.domain, f"{name.item}${each}")) for each in names]
    return gathered(name, await client.read(parts))


async def set_up(
    client: Client, block: ControlBlock, settings: Sequence[Setting]
) -> list[tuple[Setting, str]]:
    """Write settings in order, each once; return the wishes that the server refused, and why.

    Raises:
        AccessFailed, ServiceFailed, Rejected: the server refuses a required one; what comes
            after it is not written.
    """
    refused = []
    for setting in settings:
        try:
            await client.write(block.attribute(setting.attribute), setting.value)
        except (AccessFailed, ServiceFailed, Rejected) as refusal:
            if setting.need is Need.REQUIRED:
                raise
            refused.append((setting, str(refusal)))
    return refused
