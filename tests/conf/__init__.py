"""Tests of conf: the contract between the two engines."""
