"""Commands that concern all sessions: for workers, metrics and operators."""
