"""How the running system fares, for those who operate it: REST under `/api/v1/system`, and `/metrics`."""
