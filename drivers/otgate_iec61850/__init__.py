"""IEC 61850 over MMS."""
