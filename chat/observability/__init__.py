"""Metrics, logs, traces and health checks."""
