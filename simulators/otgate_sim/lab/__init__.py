"""The lab: the whole product on one machine, watched by an independent subscriber."""
