"""DNP3 driver: a master of its own on a stack of its own."""
