"""Frameworks: `setup(app, container)` of each module wires, starts and stops, and opens scopes."""
