"""Retryable side effects, one per method, through injected ports."""
