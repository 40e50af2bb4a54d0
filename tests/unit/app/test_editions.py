"""A signed policy that ran is not followed by an older one."""

from dataclasses import replace
from pathlib import Path

import pytest

from otgate.app.editions import Editions
from otgate.config.site import Site
from otgate.errors import Refused
from sites import loaded


@pytest.fixture
def site(tmp_path: Path) -> Site:
    found = loaded(tmp_path).site
    assert found is not None
    return replace(of_version(found, 3), signers={"security": "ab" * 8})


def of_version(site: Site, version: int, name: str = "egress", digest: str = "") -> Site:
    policy = replace(site.policy, version=version, name=name)
    return replace(site, policy=policy, policy_hash=digest or f"hash of {version}")


def test_a_first_policy_and_later_ones_are_accepted(site: Site) -> None:
    Editions(site).check(site)
    Editions(site).keep(site)
    Editions(site).check(site)
    Editions(site).check(of_version(site, 4))


@pytest.mark.parametrize(
    ("version", "name", "digest", "why"),
    [
        (2, "egress", "", "version 2 is older than 3"),
        (3, "egress", "other", "another policy of version 3"),
        (9, "ingress", "", "`ingress` is not `egress`"),
    ],
)
def test_what_came_before_or_elsewhere_is_refused(
    site: Site, version: int, name: str, digest: str, why: str
) -> None:
    Editions(site).keep(site)
    with pytest.raises(Refused, match=why):
        Editions(site).check(of_version(site, version, name, digest))


def test_a_policy_that_nobody_has_to_sign_may_go_back(site: Site) -> None:
    Editions(site).keep(site)
    Editions(site).check(replace(of_version(site, 2), signers={"ot": "ab" * 8}))


def test_a_note_that_cannot_be_read_refuses_with_the_way_out(site: Site) -> None:
    site.state_directory.mkdir()
    (site.state_directory / "policy.json").write_text("[3")
    with pytest.raises(Refused, match=r"delete .*policy\.json"):
        Editions(site).check(site)
