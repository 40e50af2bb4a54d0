"""Arguments that many verbs share: where a site is, and how to print."""

from argparse import ArgumentParser
from pathlib import Path


def site_argument(parser: ArgumentParser) -> None:
    """Add the positional ``SITE``: a site file, or the folder that holds a site.yaml."""
    parser.add_argument("site", metavar="SITE", type=Path, help="site.yaml, or its folder")


def site_file(given: Path) -> Path:
    """Return the site file that ``given`` names."""
    return given / "site.yaml" if given.is_dir() else given


def format_argument(parser: ArgumentParser, *formats: str) -> None:
    """Add ``--format``: text, the default, json, and what else the verb prints."""
    parser.add_argument("--format", choices=["text", "json", *formats], default="text")
