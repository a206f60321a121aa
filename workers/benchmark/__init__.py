"""How fast the engine is, on this machine: `python -m workers.benchmark`. Needs neither Django nor Celery."""
