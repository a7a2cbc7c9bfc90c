"""Spark stages, one module a step, one public function `run`."""
