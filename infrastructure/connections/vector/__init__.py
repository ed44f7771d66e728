"""Vector stores: collections of vectors, searched by likeness and filtered by fields."""
