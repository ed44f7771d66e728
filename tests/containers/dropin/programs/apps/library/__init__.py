"""Several containers over a package, wired as a package."""
