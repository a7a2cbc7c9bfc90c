"""Spark side: builds the graph, finds paths, checks chains and assembles the release."""
