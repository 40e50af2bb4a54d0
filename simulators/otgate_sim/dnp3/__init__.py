"""A DNP3 outstation to test masters against: strict, and wrong only when told to be."""
