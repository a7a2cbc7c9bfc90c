"""What can be shown of a chain without a model: citations, walks, wording, conclusion; pure functions over one row."""
