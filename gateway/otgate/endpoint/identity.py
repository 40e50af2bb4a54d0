"""What devices say that they are, kept from connection to connection: another one is told.

A replaced relay, a meter with new firmware and a machine in between answer polls as the device
before did. What they say of themselves differs, unless somebody takes the trouble to copy it.
"""

from collections.abc import Mapping

import structlog

from otgate.driver import DeviceState

KEY = "identity"
MOST_NAMES, MOST_CHARACTERS = 16, 120
"""Of what a device says: it may say anything."""

log = structlog.get_logger()


def told(device: str, state: DeviceState, said: Mapping[str, str]) -> None:
    """Keep what a device says that it is; log it where it is new, and warn where it differs.

    A device that says nothing is no other device: it may be busy.
    """
    said = {name: text[:MOST_CHARACTERS] for name, text in list(said.items())[:MOST_NAMES] if text}
    before = state.get(KEY)
    if not said or said == before:
        return
    state.put(KEY, said)
    if not isinstance(before, dict):
        log.info("identity_known", device=device, identity=said)
    else:
        log.warning("identity_changed", device=device, was=before, identity=said)
