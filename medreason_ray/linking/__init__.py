"""Finds the nodes that a text names."""
