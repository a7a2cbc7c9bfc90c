"""Entry points, one a step: `python -m jobs.NAME profile=NAME key=value …`."""
