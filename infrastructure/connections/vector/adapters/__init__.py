"""Vector stores in the shapes that other libraries expect, one module a library."""
