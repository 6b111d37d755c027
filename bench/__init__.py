"""Benchmarks of real processes: `make bench`."""
