"""Everything that touches the outside world: settings, connections, caches, models, logs."""
