"""The sockets of SpotOn. `base` is what all share, `feed` what the sockets of one process share, one file per path."""
