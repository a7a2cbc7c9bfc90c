"""Tests of kg_spark, one module a module."""
