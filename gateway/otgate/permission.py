"""Say of a file that is closed to us whose it is, and what opens it."""

import errno
import grp
import os
import pwd
from enum import Enum
from pathlib import Path
from shlex import quote

CLOSED = {errno.EACCES, errno.EPERM}
CONFINED = "its owner and mode allow that: a sandbox or a security module forbids it"


class Use(Enum):
    """What was tried with a file."""

    READ = "read"
    ANY = "any"


def why(error: OSError, path: Path, use: Use = Use.ANY) -> str:
    """Return in words why ``path`` could not be used, with what mends it where that is known."""
    said = error.strerror or str(error)
    if error.errno not in CLOSED:
        return said
    remedy = opened_by(path, use) or (CONFINED if use is Use.READ and path.exists() else "")
    return f"{said}; {remedy}" if remedy else said


def opened_by(path: Path, use: Use = Use.ANY) -> str:
    """Return whose the first closed part of ``path`` is and the command that opens it.

    Empty where nothing of it is closed by its mode: then it is a sandbox that says no.
    """
    writable = nobodys if use is Use.READ else _writable
    for part in [*reversed(path.absolute().parents), path.absolute()]:
        wanted = os.X_OK if part.is_dir() else os.R_OK
        if not os.path.lexists(part):
            return writable(part.parent)
        if not os.access(part, wanted, effective_ids=True):
            return _theirs(part)
    return writable(path.absolute())


def nobodys(_path: Path) -> str:
    """Take no offence at what is not ours to write."""
    return ""


def _writable(path: Path) -> str:
    return "" if os.access(path, os.W_OK, effective_ids=True) else _theirs(path)


def _theirs(path: Path) -> str:
    seen = path.stat()
    owner, we = user(seen.st_uid), user(os.geteuid())
    whose = f"`{path}` is {owner}:{group(seen.st_gid)} {seen.st_mode & 0o7777:o} and we are {we}"
    if seen.st_uid == os.geteuid():
        return f"{whose}: run `chmod u+rwX {quote(str(path))}`"
    return f"{whose}: run this as {owner}, or `chown {we} {quote(str(path))}`"


def user(number: int) -> str:
    """Return a user's name, or number."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group(number: int) -> str:
    """Return a group's name, or number."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
