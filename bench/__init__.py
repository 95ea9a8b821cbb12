"""Measurements of the figures that the project states, each against the bare thing in the same run."""
