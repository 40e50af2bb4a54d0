"""Configurations of other Modbus gateways as device entries and point maps."""
