"""Simulated IEC 61850 servers, driven by the plant: reports, controls, files, faults."""
