"""Serial lines."""

from otgate.endpoint.serial import SerialSettings, open_serial
from otgate_dnp3.channel.line import Line

GAP_S = 0.5
"""A line at 300 baud sends an octet in 37 ms; the rest is the buffers of adapters."""


def open_line(settings: SerialSettings) -> Line:
    """Open a serial port for this process alone.

    Raises:
        LinkLost: it is not there, or in use.
        Unusable: it cannot be set as asked for.
    """
    line = Line(GAP_S)
    line.opened(open_serial(settings, line))
    return line
