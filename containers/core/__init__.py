"""The container framework: plans nothing, knows no part, imports only dependency-injector."""
