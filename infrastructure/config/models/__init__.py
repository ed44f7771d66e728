"""The typed, frozen shape of the settings: one module a part, put together in `settings`."""
