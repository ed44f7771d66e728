"""Programs about wiring; each module wires itself, or a package beside it."""
