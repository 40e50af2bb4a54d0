"""How a device is reached: what drivers share of URLs, TCP, TLS, serial ports and backup places."""
