"""Pydantic models that cross a process boundary."""
