"""Checks of a running deployment; what each finds says what to change."""
