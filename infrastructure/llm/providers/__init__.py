"""One file a kind; reached through `LLMRegistry` only."""
