"""A server for every IED in files of several vendors, where the folder with them is there."""

import os
from pathlib import Path

import pytest

from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.typespec import named
from otgate_iec61850.scl.document import read_scl
from otgate_sim.iec61850.holding import described, shown
from otgate_sim.iec61850.site import server_from_scl
from otgate_sim.simulation import steady_clock

ROOT = Path(__file__).parents[3]
FOLDERS = [ROOT.parent / "shared/data/scl", ROOT.parents[1] / "shared/data/scl"]
FOLDER = Path(
    os.environ.get("OTGATE_SCL_SAMPLES") or next((f for f in FOLDERS if f.is_dir()), FOLDERS[0])
)
SAMPLES = sorted(path for path in FOLDER.glob("*.?[cis]d") if path.is_file())


@pytest.mark.skipif(
    not SAMPLES, reason=f"no SCL samples in {FOLDER}; OTGATE_SCL_SAMPLES names a folder"
)
@pytest.mark.parametrize("sample", [pytest.param(path, id=path.name) for path in SAMPLES])
def test_every_value_of_a_sample_is_of_the_type_that_is_told(sample: Path) -> None:
    scl = read_scl(sample)
    for ied in scl.ieds:
        if scl.ied(ied).access_points:
            held = server_from_scl(sample, steady_clock(), ied=ied).holding
            for domain, nodes in held.domains.items():
                for node in nodes.members:
                    found = held.find(Variable(Name(domain, node)))
                    assert found is not None
                    named(described(found), shown(found))
