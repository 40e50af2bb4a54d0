"""What a site wants signed, by whom, and whether it is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from otgate.config.diagnostic import Diagnostics
from otgate.config.signature import (
    MAX_BYTES,
    SUFFIX,
    BadSignature,
    Claim,
    PublicKey,
    Role,
    read_public,
)
from otgate.config.site_file import SignaturesEntry
from otgate.config.source import Source, read_source
from otgate.config.yaml_text import Tree
from otgate.errors import Refused

SIGN = "sign it: `otgate policy sign SITE --as {role} --key KEY`"


@dataclass(frozen=True, slots=True)
class Signable:
    """A file of a site as it was read, by the name that the site has for it."""

    role: Role
    name: str
    source: Source
    key: str = ""
    """The id of the key it has to be signed with, if any."""

    @property
    def claim(self) -> Claim:
        """What a signature of it has to say."""
        return Claim(self.role, self.name, self.source.digest)


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a site that can be signed, as far as they could be read."""

    site: Source
    policy: tuple[str, Source] | None
    maps: Mapping[str, Source | None]

    def __iter__(self) -> Iterator[Signable]:
        """Yield each with the role that signs it."""
        yield Signable(Role.OT, Path(self.site.name).name, self.site)
        for name, source in sorted(self.maps.items()):
            if source is not None:
                yield Signable(Role.OT, name, source)
        if self.policy is not None:
            yield Signable(Role.SECURITY, *self.policy)


def check_signatures(
    wanted: SignaturesEntry, files: Files, tree: Tree, directory: Path, found: Diagnostics
) -> Mapping[str, str]:
    """Say of every file whose role has a key what is wrong with its signature.

    Returns the id of each role's key.
    """
    keys = dict(read_keys(wanted, tree, directory, found))
    for file in files:
        if file.role in keys:
            check_file(file, keys[file.role], tree, found)
    if len(set(keys.values())) < len(keys):
        place = tree.at("signatures", Role.OT)
        message = "it is the same key as that of `security`"
        help_ = "two people vouch for a site: each has a key that the other has not"
        found.say("unusable-key", place, message, help_)
    return {role: key.id for role, key in keys.items()}


def read_keys(
    wanted: SignaturesEntry, tree: Tree, directory: Path, found: Diagnostics
) -> Iterator[tuple[Role, PublicKey]]:
    """Yield the key of each role that has one."""
    for role in Role:
        name: str | None = getattr(wanted, role)
        if name is None:
            continue
        place = tree.at("signatures", role)
        source = read_source(directory / name, MAX_BYTES, found, place)
        if source is None:
            continue
        try:
            yield role, read_public(source.text.encode())
        except Refused as refused:
            help_ = "`otgate policy key FILE` makes a key, and `FILE.pub`, which belongs here"
            found.say("unusable-key", place, f"`{name}`: {refused}", help_)


def check_file(file: Signable, key: PublicKey, tree: Tree, found: Diagnostics) -> None:
    """Say what is wrong with the signature of one file, if anything."""
    path = Path(file.source.name + SUFFIX)
    help_ = SIGN.format(role=file.role)
    if not path.exists():
        place = tree.at("signatures", file.role)
        message = f"`{file.name}` is not signed: there is no `{file.name}{SUFFIX}`"
        found.say("missing-signature", place, message, help_)
        return
    source = read_source(path, MAX_BYTES, found)
    if source is None:
        return
    try:
        key.verify(source.text, file.claim)
    except BadSignature as bad:
        place = source.place(bad.line, 1)
        message = f"the signature of `{file.name}` does not hold: {bad}"
        found.say("bad-signature", place, message, help_)
