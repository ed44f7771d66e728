"""Vector stores in the shapes that other libraries expect, one file a library."""
