"""Databases: one folder a kind, reached through `DatabaseRegistry`."""
