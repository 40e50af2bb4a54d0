"""`otgate import sunspec`: a dump of a SunSpec device's registers, read as the device would be."""

import asyncio
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path

from otgate.foreign.text import ForeignRefused, read_text
from otgate.importer import Imported, Remark
from otgate_modbus.codec import Answer, Missing
from otgate_modbus.identification import Category
from otgate_modbus.sunspec.browse import imported, shortfall, without_all
from otgate_modbus.sunspec.chain import ADDRESSES, BASES, MARKER, Words
from otgate_modbus.sunspec.points import mapped
from otgate_modbus.sunspec.survey import MOST_REGISTERS, Survey, surveyed_by, target

DESCRIPTION = """\
Read a dump of holding registers of a SunSpec device: on each line an address and the registers
from there on, decimal or 0x hexadecimal, as in `40000, 21365, 28243` or mbpoll's
`[40001]: 21365`. The points are those that `otgate browse` finds at the device itself. Where the
marker `SunS` lies at 40001 or 50001 the dump counts from 1, and is read so.

  otgate import sunspec registers.txt --url "tcp://10.8.0.11?unit=1" --output config/solar
"""
MAX_BYTES = 1 << 20
"""Of a dump: 65,536 registers of at most twelve characters."""

LINE = re.compile(r"\s*\[?(?P<at>[0-9]+|0x[0-9a-f]+)\]?\s*[:,;=\s]\s*(?P<words>.*)", re.IGNORECASE)
WORD = re.compile(r"0x[0-9a-f]+|-?[0-9]+", re.IGNORECASE)
IN_BRACKETS = re.compile(r"\([^()]*\)")
"""The same value once more, as mbpoll writes it."""


class SunSpecImporter:
    """The importer of register dumps; see `otgate.importer.Importer`."""

    summary = "a dump of a SunSpec device's registers"
    description = DESCRIPTION

    def arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments of `otgate import sunspec`."""
        parser.add_argument("file", metavar="FILE", type=Path, help="the dump")
        parser.add_argument(
            "--url", default="tcp://HOST", help="where the device is, as `otgate browse` takes it"
        )

    def read(self, options: Namespace) -> Imported:
        """Read the file.

        Raises:
            Refused: it is no dump, or not of a SunSpec device.
        """
        file = str(options.file)
        words = dict(registers(read_text(options.file, MAX_BYTES), file))
        shift = counted_from(words, file)
        url, everything = without_all(options.url)
        held = {at - shift: word for at, word in words.items()}
        survey = asyncio.run(surveyed_by(Recorded(held), target(url)))
        rows = mapped(survey.models, everything=everything)
        remarks = [Remark(text) for text in told(survey, shift)]
        if options.url == "tcp://HOST":
            remarks.append(Remark("the dump knows no connection: replace HOST in the url"))
        return Imported([imported(survey, rows)] if rows.points else [], remarks)


def registers(text: str, file: str) -> Iterator[tuple[int, int]]:
    """Yield address and value of each register.

    Raises:
        ForeignRefused: a line says something else.
    """
    for number, line in enumerate(text.splitlines(), 1):
        bare = IN_BRACKETS.sub("", line.partition("#")[0]).strip()
        if not bare or bare.startswith("--"):
            continue
        found = LINE.fullmatch(bare)
        if found is None:
            if any(character.isdigit() for character in bare):
                raise ForeignRefused(file, "this is no address with registers behind it", number)
            continue  # a heading
        words = [integer(word) for word in WORD.findall(found["words"])]
        for at, word in enumerate(words, integer(found["at"])):
            if not (0 <= at < ADDRESSES and -0x8000 <= word <= 0xFFFF):
                raise ForeignRefused(file, f"{word} at {at} is no register", number)
            yield at, word & 0xFFFF


def integer(text: str) -> int:
    """Read a decimal or hexadecimal number of at most nine digits; a longer one is no register."""
    if len(text) > 9:
        return ADDRESSES
    return int(text, 16) if text.lower().startswith("0x") else int(text)


def counted_from(words: Mapping[int, int], file: str) -> int:
    """Return from which number the addresses of a dump count: 0 or 1.

    Raises:
        ForeignRefused: the marker is not where a device has it.
    """
    for shift in (0, 1):
        for base in BASES:
            if tuple(words.get(base + shift + n) for n in range(len(MARKER))) == MARKER:
                return shift
    places = ", ".join(map(str, BASES))
    raise ForeignRefused(file, f"there is no `SunS` at {places}, nor one behind them")


class Recorded:
    """A device that is a dump; see `otgate_modbus.sunspec.survey.Readable`."""

    heard = True
    most = MOST_REGISTERS
    silent = ""

    def __init__(self, words: Mapping[int, int]) -> None:
        self._words = words

    async def identify(self, _category: Category, _first: int) -> Answer:
        """Answer nothing: a dump has no identification."""
        return Missing.SILENT

    async def words(self, at: int, count: int) -> Words | None:
        """Return registers; None where the dump lacks one."""
        found = [self._words[n] for n in range(at, at + count) if n in self._words]
        return found if len(found) == count else None

    sought = words

    async def registers(self, at: int, count: int) -> list[int | None]:
        """Return registers; None stands for each that the dump lacks."""
        return [self._words.get(n) for n in range(at, at + count)]


def told(survey: Survey, shift: int) -> Iterator[str]:
    """Yield what a person should know."""
    if shift:
        yield "the marker lies one further: the dump counts from 1, and was read so"
    if text := shortfall(survey):
        yield text
    for model in survey.models:
        for remark in model.remarks:
            yield f"model {model.block.model} at {model.block.at}: {remark}"
        lacking = sum(word is None for word in model.registers)
        if lacking:
            yield f"model {model.block.model}: the dump lacks {lacking} of its registers"
