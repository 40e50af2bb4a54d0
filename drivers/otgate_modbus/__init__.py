"""Modbus TCP client driver for otgate, on its own protocol core."""

from otgate_modbus.modbus import Modbus

__all__ = ["Modbus"]
