"""Which signed policy ran last, so that an older one, signed as well, is not put in its place."""

import json

from otgate.config.signature import Role
from otgate.config.site import Site
from otgate.errors import Refused
from otgate.spool.files import OS
from otgate.spool.state_file import StateFile


class Editions:
    """The last policy that a site ran; only one whose policy has to be signed is held to it."""

    def __init__(self, site: Site) -> None:
        self._file = StateFile(site.state_directory / "policy.json", OS)

    def check(self, site: Site) -> None:
        """Accept what ran last, and later versions of it.

        Raises:
            Refused: the site's policy is older, another one, or another of the same version.
        """
        if Role.SECURITY not in site.signers:
            return
        policy = site.policy
        name, version, digest = self._last(site)
        if name != policy.name:
            raise Refused(self._about(f"policy `{policy.name}` is not `{name}`, which ran last"))
        if version > policy.version:
            older = f"policy version {policy.version} is older than {version}, which ran last"
            raise Refused(self._about(older))
        if version == policy.version and digest != site.policy_hash:
            raise Refused(self._about(f"another policy of version {version} ran last"))

    def keep(self, site: Site) -> None:
        """Take note that a site runs by this policy.

        Raises:
            Refused: it cannot be written down.
        """
        if Role.SECURITY not in site.signers:
            return
        try:
            self._file.write(json.dumps(edition(site)).encode())
        except OSError as error:
            raise Refused(f"cannot write {self._file.path}: {error.strerror}") from error

    def _last(self, site: Site) -> tuple[str, int, str]:
        """Return name, version and hash of what ran last; those of ``site`` where nothing did."""
        try:
            name, version, digest = json.loads(self._file.read())
            return str(name), int(version), str(digest)
        except FileNotFoundError:
            return edition(site)
        except (OSError, ValueError, TypeError) as error:
            raise Refused(self._about(f"cannot tell which policy ran last: {error}")) from error

    def _about(self, what: str) -> str:
        way = f"or delete {self._file.path} if it is meant"
        return f"{what}; sign a policy of that name with a higher version, {way}"


def edition(site: Site) -> tuple[str, int, str]:
    """Return what tells a policy from its earlier and later versions."""
    return site.policy.name, site.policy.version, site.policy_hash
