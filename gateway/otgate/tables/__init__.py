"""Somebody's table as point maps, by a mapping of its columns; and point maps as tables."""
