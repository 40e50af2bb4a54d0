"""Wires a site into running parts, starts them and stops them."""
