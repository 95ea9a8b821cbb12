"""Faults on purpose: a seeded run against a running installation, and what must hold after each."""
