"""Databases: one file a kind, reached through `DatabaseRegistry`."""
