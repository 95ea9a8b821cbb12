"""Protocols for what activities and the API need from the outside."""
