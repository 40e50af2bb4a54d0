"""IEC 61850 for otgate: MMS client, SCL resolver and importer."""
