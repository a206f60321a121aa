"""Disturbs a running product from outside and proves that its rows stay the same, byte for byte."""
