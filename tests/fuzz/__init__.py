"""Random input for everything that parses what clients and model servers send.

`make test` runs each test for a second or two. `make fuzz` runs them for as long as you like: the
targets of `targets.py` guided by their coverage (atheris), the others with new random seeds.
"""
