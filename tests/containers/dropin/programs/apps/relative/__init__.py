"""Modules named relative to the caller, to a package, or in the declaration."""
