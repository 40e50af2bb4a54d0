"""Calculated points: a small language of formulas, and windows over time; no input or output."""
