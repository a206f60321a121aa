"""The engine: from frames to identities on the map. Pure Python and NumPy, no Django, no Celery.

Only `workers.tasks` (the Celery edge) knows the rest of SpotOn.
"""
