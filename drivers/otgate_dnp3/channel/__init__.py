"""The ways to an outstation: TCP either way round, TLS, UDP and serial lines."""
