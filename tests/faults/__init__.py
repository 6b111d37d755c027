"""Fault injection: real processes and networks are broken and lost messages are counted.

`make faults` runs every row of `catalogue.py` and prints the report; `test_faults.py` runs a short
selection.
"""
