"""Readers of raw files, one a format, with the same columns out."""
