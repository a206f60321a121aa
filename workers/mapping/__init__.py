"""From boxes in images to positions on the map, and from positions to smooth trajectories."""
