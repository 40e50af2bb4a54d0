"""DNP3 driver for otgate: a master of its own on a stack of its own."""

from otgate_dnp3.driver import Dnp3

__all__ = ["Dnp3"]
