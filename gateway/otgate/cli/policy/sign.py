"""`otgate policy sign`, `verify` and `key`: who vouches for the files of a site."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.places import site_argument, site_file
from otgate.config.diagnostic import Diagnostic, Severity
from otgate.config.render import rendered
from otgate.config.signature import SUFFIX, Role, make_key, read_private, sign
from otgate.config.signed import Signable
from otgate.config.site import read_signable
from otgate.driver import installed
from otgate.errors import Refused

SIGN = """\
Sign the files of a site that are yours: the policy with --as security, the site file and its point
maps with --as ot. Each signature goes beside its file, as NAME.sig. What has errors is not signed.

  otgate policy sign site.yaml --as security --key ~/security.key

Exit: 0 signed; 1 the site has errors, or the key cannot be used.
"""

VERIFY = """\
Tell who signed each file of a site, held against the keys that `signatures` in site.yaml names.

  otgate policy verify site.yaml

Exit: 0 every signature that the site needs holds; 1 one does not, or the site needs none.
"""

KEY = """\
Make a key for `otgate policy sign`: FILE, which only its owner reads, and FILE.pub for the site.
Security and OT have a key each. openssl makes the same:

  otgate policy key security.key
  openssl genpkey -algorithm ed25519 -out security.key && chmod go= security.key

Exit: 0 made; 1 there is such a file.
"""

UNSIGNED = {"missing-signature", "bad-signature"}
"""What does not keep a site from being signed."""


def sign_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `sign`."""
    site_argument(parser)
    roles = [str(role) for role in Role]
    parser.add_argument("--as", dest="role", choices=roles, required=True, help="who you are")
    parser.add_argument("--key", type=Path, metavar="KEY", required=True, help="your private key")


def execute_sign(options: Namespace) -> int:
    """Sign, or print what is wrong."""
    files, said = read_signable(site_file(options.site), installed())
    wrong = [one for one in errors_of(said) if one.code not in UNSIGNED]
    if wrong:
        print(rendered(wrong), file=sys.stderr)
        return FAILED
    key = read_private(options.key)
    for file in files:
        if file.role == options.role:
            path = Path(file.source.name + SUFFIX)
            write(path, sign(key, file.claim))
            print(f"signed {file.name}: {path}")
    return OK


def write(path: Path, text: str) -> None:
    """Put a signature beside its file.

    Raises:
        Refused: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"cannot write `{path}`: {error.strerror}") from None


def execute_verify(options: Namespace) -> int:
    """Print what holds, or what does not."""
    files, said = read_signable(site_file(options.site), installed())
    if wrong := errors_of(said):
        print(rendered(wrong), file=sys.stderr)
        return FAILED
    for file in files:
        print(f"{file.name}: {standing(file)}")
    return OK if any(file.key for file in files) else FAILED


def standing(file: Signable) -> str:
    """Say who signed a file of a site that has no error."""
    return f"signed by {file.role}, key {file.key}" if file.key else "needs no signature"


def errors_of(said: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Return those diagnostics for which a site is refused."""
    return [one for one in said if one.severity is Severity.ERROR]


def key_arguments(parser: ArgumentParser) -> None:
    """Add the argument of `key`."""
    parser.add_argument("file", metavar="FILE", type=Path, help="where the private key goes")


def execute_key(options: Namespace) -> int:
    """Make the key and say what stands for it."""
    key = make_key(options.file)
    print(f"key {key.id}: {options.file}, and {options.file}.pub for the site")
    return OK


SIGN_COMMAND = Command("sign", "sign the files that are yours", sign_arguments, execute_sign, SIGN)
VERIFY_COMMAND = Command(
    "verify", "tell whose signatures hold", site_argument, execute_verify, VERIFY
)
KEY_COMMAND = Command("key", "make a key to sign with", key_arguments, execute_key, KEY)
