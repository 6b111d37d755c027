"""Checks of a running site; each finding says what to change."""
