"""What is stored about visitors: how long, and all of it about one session."""
