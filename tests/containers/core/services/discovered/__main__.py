"""Runs the program: nothing that looks for services may import it."""

raise AssertionError
