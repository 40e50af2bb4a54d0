"""DNP3 (IEEE 1815-2012) without I/O: link, transport, application, objects, master.

Standard library only. Both ends of a link are built from it: the driver's master, and an
outstation that shares the framing and the one table of objects.
"""
