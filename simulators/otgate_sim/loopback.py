"""Where simulated devices are served unless somebody asks for another address."""

LOOPBACK = "127.0.0.1"
