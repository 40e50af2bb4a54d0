"""The audit log: records that cannot be changed, taken out or cut off without a trace."""
