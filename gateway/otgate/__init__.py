"""Bridge substation field protocols to an MQTT bus, one way and without loss."""
