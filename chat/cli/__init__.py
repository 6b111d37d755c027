"""Command-line programs: the terminal client, the doctor and the process runner."""
