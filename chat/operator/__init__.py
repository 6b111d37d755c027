"""The operator's side: find sessions, see what happened in them, act on them, watch the service."""
