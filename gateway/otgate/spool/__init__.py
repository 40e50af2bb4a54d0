"""The append-only log between the field side, which writes it, and the bus side, which reads it."""
