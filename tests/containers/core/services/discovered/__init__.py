"""A package whose services are found."""
