"""Report by exception: of what a device says, only what is news goes on."""

from otgate.report.report import Report

__all__ = ["Report"]
