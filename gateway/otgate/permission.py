"""Say of a file that is closed to us whose it is, and what opens it."""

import errno
import grp
import os
import pwd
from pathlib import Path
from shlex import quote

CLOSED = {errno.EACCES, errno.EPERM}


def why(error: OSError, path: Path) -> str:
    """Return in words why ``path`` could not be used, with what mends it where that is known."""
    said = error.strerror or str(error)
    if error.errno in CLOSED and (remedy := opened_by(path)):
        return f"{said}; {remedy}"
    return said


def opened_by(path: Path) -> str:
    """Return whose the first closed part of ``path`` is and the command that opens it.

    Empty where nothing of it is closed by its mode: then it is a sandbox that says no.
    """
    for part in [*reversed(path.absolute().parents), path.absolute()]:
        wanted = os.X_OK if part.is_dir() else os.R_OK
        if not os.path.lexists(part):
            return _writable(part.parent)
        if not os.access(part, wanted, effective_ids=True):
            return _theirs(part)
    return _writable(path.absolute())


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
