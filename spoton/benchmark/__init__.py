"""Benchmarks that need the product: `manage.py benchmark`. Those of the engine alone are in `workers.benchmark`."""
