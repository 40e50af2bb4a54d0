"""The verbs that come with the simulator: `otgate sim` and `otgate lab`."""

from argparse import SUPPRESS, ArgumentParser, Namespace
from ipaddress import IPv4Address
from pathlib import Path

from otgate.cli.command import Command
from otgate_sim.loopback import LOOPBACK

SIM = """\
Serve every Modbus, DNP3 and IEC 61850 device of a site on loopback ports, fed by a model of a
substation. Prints where each device listens; --map writes the same for `otgate run SITE
--endpoints FILE`. A Modbus device is served on what its url says: TCP, RTU over TCP, UDP, TLS (with
--cert and --key), or a serial line, which is a pseudo-terminal linked in --serial.

While it runs, `otgate sim fault DEVICE KIND` spoils one device's replies. Kinds:
  Modbus  none, silent, exception, close, late, garbage, wrong-tid
  DNP3    none, silent, drop, corrupt, corrupt-body, garbage, delay, duplicate, forged-address,
          wrong-sequence, no-confirm-handling, overflow, close, restart
  MMS     none, silent, late, wrong-invoke-id, drop-segment, overflow, abort, close, garbage,
          conf-rev, unknown-data-set, early-report

`otgate sim burst DEVICE POINT COUNT` makes that many events of a point at once, --step
milliseconds apart by their own times; `otgate sim status` counts what became of them.

  otgate sim config/lab --map map.json
  otgate sim fault f1 silent --for 30
  otgate sim fault f1 none
  otgate sim burst rtu1 cb 500 --step 2
"""

LAB = """\
Run the whole product on this machine: simulated devices, an MQTT broker, the field side and the
bus sides of the lab site, and a table of what an independent subscriber receives. Ctrl-C stops
everything. The broker is Mosquitto where it is installed, else a small one for MQTT 3.1.1.

With --json there is no table: after --for seconds the field side is stopped, the bus drains, and
one line of JSON compares what was spooled with what was received. Exit 1 on loss, or if a point
was seen that the policy denies.

  otgate lab
  otgate lab --for 20 --json
"""


def sim_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `otgate sim`."""
    parser.usage = (
        "otgate sim SITE [--map FILE] [--seed N] [--speed X] [--port-base N] [--control PATH]\n"
        "           [--listen ADDRESS] [--serial DIR] [--cert FILE --key FILE]\n"
        "       otgate sim fault DEVICE KIND [--for S] [--control PATH]\n"
        "       otgate sim burst DEVICE POINT COUNT [--start MS] [--step MS] [--control PATH]\n"
        "       otgate sim status [--control PATH]"
    )
    parser.add_argument("site", metavar="SITE", help="site.yaml, or its folder; or a verb")
    parser.add_argument("fault", nargs="*", metavar="DEVICE ...", help="after a verb")
    parser.add_argument("--map", type=Path, metavar="FILE", help="write where devices listen")
    parser.add_argument("--seed", type=int, default=1, help="of all noise (default: 1)")
    parser.add_argument("--speed", type=float, default=1.0, help="plant seconds per second")
    parser.add_argument("--port-base", type=int, default=0, metavar="N", help="first port")
    parser.add_argument(
        "--listen",
        type=IPv4Address,
        default=LOOPBACK,
        metavar="ADDRESS",
        help=f"this machine's IPv4 address to serve at (default: {LOOPBACK})",
    )
    parser.add_argument("--serial", type=Path, metavar="DIR", help="where serial lines are linked")
    parser.add_argument("--cert", type=Path, metavar="FILE", help="what devices under TLS show")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its private key")
    parser.add_argument("--control", type=Path, metavar="PATH", help="unix socket for faults")
    parser.add_argument("--for", dest="for_s", type=float, metavar="S", help="seconds of a fault")
    parser.add_argument("--start", dest="start_ms", type=int, metavar="MS", help="time of a burst")
    parser.add_argument("--step", dest="step_ms", type=int, default=1, metavar="MS", help="in it")
    parser.add_argument("--parent", type=int, help=SUPPRESS)


def run_sim(options: Namespace) -> int:
    """Run `otgate sim`."""
    from otgate_sim import sim_verb  # noqa: PLC0415  other verbs start without pymodbus

    return sim_verb.execute(options)


def lab_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `otgate lab`."""
    parser.add_argument("--for", dest="for_s", type=float, metavar="S", help="stop after S seconds")
    parser.add_argument("--json", action="store_true", help="no table; end with a line of JSON")
    parser.add_argument("--site", type=Path, metavar="DIR", help="another site than the lab's own")
    parser.add_argument("--broker", metavar="URL", help="a broker that runs already")
    parser.add_argument("--seed", type=int, default=1, help="of the simulated plant's noise")


def run_lab(options: Namespace) -> int:
    """Run `otgate lab`."""
    from otgate_sim.lab import verb  # noqa: PLC0415  other verbs start without rich

    return verb.execute(options)


sim = Command("sim", "simulate the devices of a site", sim_arguments, run_sim, SIM)
lab = Command("lab", "run simulators, broker and both sides here", lab_arguments, run_lab, LAB)
