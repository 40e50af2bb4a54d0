"""Files of other tools, read as what they are: hostile until proved otherwise, and bounded."""
