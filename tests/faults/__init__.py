"""Break the real processes on purpose and count what is lost.

`make faults` runs every row of `catalogue.py` and prints the report; `test_faults.py` runs a short
selection of them.
"""
