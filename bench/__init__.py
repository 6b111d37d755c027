"""Speed and memory, measured on the real processes: `make bench`."""
