"""What the pytest plugin is made of; tests use its fixtures and markers, never these modules."""
