"""CPU that the MMS client spends, against our own test server in another process.

Run as a script: ``python tests/bench/mms_bench.py``. User and system time of this process
alone; trust ratios more than figures.
"""

import argparse
import asyncio
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from results import record

from mms_served import DOMAIN, GOOD, STAMP, Peer, Served, serving
from mms_talks import talking
from otgate_iec61850.mms import pdu, report
from otgate_iec61850.mms.access import InformationReport, Write
from otgate_iec61850.mms.association import Ends
from otgate_iec61850.mms.browse import ObjectClass
from otgate_iec61850.mms.client import connected
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.report import Option, Reason, Report
from otgate_iec61850.mms.values import BinaryTime

Loops = Callable[[], asyncio.AbstractEventLoop]

MEMBERS = 50
NAMES = 2000
VALUES = 1000


def made(sq_num: int) -> Report:
    """Fifty measured values with quality and time."""
    asked = report.options(
        Option.SEQUENCE_NUMBER, Option.TIME_STAMP, Option.REASON, Option.DATA_SET,
        Option.BUFFER_OVERFLOW, Option.ENTRY_ID, Option.CONF_REVISION,
    )  # fmt: skip
    return Report(
        "IED1LD0/LLN0$BR$brcb01", asked, MEMBERS, range(MEMBERS),
        [((sq_num + at / 8,), GOOD, STAMP) for at in range(MEMBERS)],
        sq_num=sq_num, entry_time=BinaryTime.of(10**18), data_set="IED1LD0/LLN0$all",
        overflow=False, entry_id=sq_num.to_bytes(8, "big"), conf_rev=1,
        reasons=[Reason.DATA_CHANGE] * MEMBERS,
    )  # fmt: skip


def decoding(rounds: int) -> float:
    """CPU seconds of one report, from its octets to a `Report`."""
    talk = talking()
    said = []
    for at in range(50):
        talk.server.report(report.write(made(at)))
        said.append(talk.server.take())
    began = time.process_time()
    for at in range(rounds):
        for event in talk.requester.receive(said[at % 50]):
            if isinstance(event, InformationReport):
                report.read(event)
    return (time.process_time() - began) / rounds


def serve(pipe: Connection) -> None:
    """Serve names, values, and as many reports as a write asks for."""
    served = Served(VALUES)
    served.page = 500

    def reporting(peer: Peer, asked: pdu.Request) -> bool:
        if isinstance(asked.service, Write):
            count = asked.service.values[0]
            for at in range(int(str(count))):
                peer.responder.report(report.write(made(at)))
        return True

    async def run() -> None:
        served.answer = reporting
        async with serving(served):
            pipe.send(served.port)
            await asyncio.Event().wait()

    asyncio.run(run())


@contextmanager
def server() -> Iterator[int]:
    """Run the server in a process of its own and yield its port."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def value(at: int) -> Variable:
    return Variable(Name(DOMAIN, f"MMXU1$MX$Val{at:04d}"))


async def browsing(port: int, rounds: int) -> float:
    """CPU seconds to connect, list every name, and conclude."""
    before, names = cpu_s(), 0
    for _ in range(rounds):
        async with connected(*there(port)) as client:
            (domain,) = await client.domains()
            for _ in range(2):  # the server has a thousand names
                names += len(await client.names(ObjectClass.VARIABLE, domain))
    return (cpu_s() - before) / names * NAMES


def there(port: int) -> tuple[str, int, Ends, Callable[[InformationReport, int], None]]:
    return "127.0.0.1", port, Ends(), lambda *_: None


async def reading(port: int, rounds: int) -> float:
    """CPU seconds of a value read, a thousand in a poll."""
    variables = [value(at) for at in range(VALUES)]
    async with connected(*there(port)) as client:
        await client.read(variables)
        before = cpu_s()
        for _ in range(rounds):
            await client.read(variables)
        return (cpu_s() - before) / rounds / VALUES


async def reported(port: int, rounds: int) -> tuple[float, float]:
    """CPU seconds of a report off the socket, and reports per second."""
    left, done = rounds, asyncio.Event()

    def take(said: InformationReport, _: int) -> None:
        nonlocal left
        report.read(said)
        left -= 1
        if not left:
            done.set()

    async with connected("127.0.0.1", port, Ends(), take) as client:
        before, began = cpu_s(), time.monotonic()
        await client.write(value(0), rounds)
        await done.wait()
        return (cpu_s() - before) / rounds, rounds / (time.monotonic() - began)


def figures(loops: Loops, rounds: int) -> dict[str, float]:
    """Run everything over sockets on one kind of loop."""
    with server() as port, asyncio.Runner(loop_factory=loops) as runner:
        browse_s = runner.run(browsing(port, max(1, rounds // 100)))
        read_s = runner.run(reading(port, max(1, rounds // 100)))
        report_s, reports = runner.run(reported(port, rounds))
    return {
        "ms_to_connect_and_browse_2000_names": round(browse_s * 1e3, 2),
        "us_per_value_read": round(read_s * 1e6, 2),
        "us_per_report_of_50": round(report_s * 1e6, 1),
        "reports_per_s": round(reports),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=3000)
    parser.add_argument("--quick", action="store_true", help="run everything once, badly")
    asked = parser.parse_args()
    rounds = 10 if asked.quick else asked.reports
    multiprocessing.set_start_method("fork")  # the child serves sockets alone
    result = {
        "us_to_decode_a_report_of_50": round(decoding(rounds) * 1e6, 1),
        "asyncio": figures(asyncio.new_event_loop, rounds),
        "uvloop": figures(import_module("uvloop").new_event_loop, rounds),
    }
    record("mms", result)
    for name, figure in result.items():
        print(name, figure)


if __name__ == "__main__":
    main()
