"""Ray stages, one module a step."""
