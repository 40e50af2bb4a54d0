"""How long a read keeps a link busy, by arithmetic: what `otgate plan` and `otgate check` go by."""

from dataclasses import dataclass

from otgate.endpoint.serial import SerialSettings
from otgate_modbus.endpoint import Framing, Tcp
from otgate_modbus.settings import Settings

NETWORK_S = 0.005
"""From a request to its reply over a network, where the settings do not say."""

LINE_S = 0.02
"""From the end of a request on a serial line to the start of its reply, where they do not say."""

SILENT_CHARACTERS = 3.5
"""Silence that ends a frame: Modbus over Serial Line V1.02, §2.5.1.1."""

FAST_BAUD, FAST_SILENCE_S = 19200, 0.00175
"""Above this speed that silence is fixed: the same clause."""

MBAP_FRAMES = (12, 9)
"""Bytes of a request, and of a reply without its data: header (7), function, address and quantity
or byte count: Messaging Guide V1.0b §3.1.3, Application Protocol V1.1b3 §6."""

RTU_FRAMES = (8, 5)
"""The same with the unit in front and a checksum (2) behind: over Serial Line V1.02, §2.5.1."""


@dataclass(frozen=True, slots=True)
class Medium:
    """What carries requests and replies."""

    frames: tuple[int, int]
    """Bytes of a request, and of a reply without its data."""
    delay_s: float
    """On a network the round trip; on a line from a request's end to its reply's start."""
    rest_s: float = 0.0
    """Between a reply and the next request."""
    byte_s: float = 0.0
    switch_s: float = 0.0
    """More rest before a poll of another unit of the link."""
    words: str = ""

    def wire_bytes(self, data: int) -> int:
        """Return the bytes of request and reply with so many bytes of data."""
        return sum(self.frames) + data

    def busy_s(self, data: int) -> float:
        """Return how long such a read keeps the link busy, the rest after it included."""
        return self.wire_bytes(data) * self.byte_s + self.delay_s + self.rest_s


def network(settings: Settings, frames: tuple[int, int] = MBAP_FRAMES) -> Medium:
    """Return a network as a medium: bytes take no time there."""
    delay_s, words = _delay(settings, NETWORK_S)
    rest_s = max(settings.quirks.request_gap_s, settings.spacing_s)
    words = f"{words} from request to reply{_resting(rest_s, settings)}"
    return Medium(frames, delay_s, rest_s, 0.0, _switching(rest_s, settings), words)


def line(settings: Settings, baud: int, parity: str, stop_bits: int) -> Medium:
    """Return a serial line as a medium: eight data bits, a start bit, parity and stop bits."""
    bits = 9 + (parity != "none") + stop_bits
    silence_s = FAST_SILENCE_S if baud > FAST_BAUD else SILENT_CHARACTERS * bits / baud
    delay_s, words = _delay(settings, LINE_S)
    rest_s = max(settings.quirks.request_gap_s, settings.spacing_s)
    words = (
        f"{baud} baud, {bits} bits a character, {1000 * silence_s:.3g} ms between frames, "
        f"{words} from a request to the start of its reply{_resting(rest_s, settings)}"
    )
    rest_s = max(silence_s, rest_s)
    switch_s = _switching(rest_s, settings)
    return Medium(RTU_FRAMES, delay_s, silence_s + rest_s, bits / baud, switch_s, words)


def _delay(settings: Settings, usual_s: float) -> tuple[float, str]:
    """Return how long a device takes to answer, and the same in words."""
    if settings.reply_delay_s is None:
        return usual_s, f"{1000 * usual_s:g} ms (assumed)"
    return settings.reply_delay_s, f"{1000 * settings.reply_delay_s:g} ms (`reply_delay_s`)"


def _switching(rest_s: float, settings: Settings) -> float:
    """Return what a change of units costs beyond the usual rest."""
    return max(0.0, settings.quirks.unit_gap_s - rest_s)


def _resting(rest_s: float, settings: Settings) -> str:
    other_s = settings.quirks.unit_gap_s
    rests = f", {1000 * rest_s:g} ms of rest after each" if rest_s else ""
    return rests + (f", {1000 * other_s:g} ms before another unit" if other_s else "")


def medium_of(settings: Settings) -> Medium:
    """Return the medium of a device's link."""
    match settings.places[0]:
        case SerialSettings(_, baud, parity, stop_bits):
            return line(settings, baud, parity, stop_bits)
        case Tcp(framing=Framing.RTU):
            return network(settings, RTU_FRAMES)
    return network(settings)
