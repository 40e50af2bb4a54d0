"""Real devices read with an engineer beside them: are the values what the point map says."""
