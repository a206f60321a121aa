"""Requests that nobody would send, to every documented operation of a running product, by Schemathesis."""
