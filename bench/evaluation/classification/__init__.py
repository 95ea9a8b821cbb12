"""Labelled texts of several domains, and how well the local classification does on them."""
