"""SpotOn for other programs: the Python client, examples, and their tests."""
