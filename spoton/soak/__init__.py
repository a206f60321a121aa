"""Watches what a running product takes over a long time, and tells a leak from noise."""
