"""Public test kit for driver authors: the driver contract, scripted wires, a faulty relay."""
