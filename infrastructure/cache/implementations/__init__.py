"""One file a kind; reached through `CacheRegistry` only."""
