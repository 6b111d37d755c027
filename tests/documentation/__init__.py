"""Follow the documentation on a fresh machine, as a new operator would."""
