"""What a person reads: the funnel of a run."""
