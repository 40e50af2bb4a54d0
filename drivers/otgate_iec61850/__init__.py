"""IEC 61850 for otgate: MMS client, driver, SCL resolver and importer."""

from otgate_iec61850.driver import Iec61850

__all__ = ["Iec61850"]
