"""Backup and restore of an installation: one moment of the database, of Temporal and of the objects."""
