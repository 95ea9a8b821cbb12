"""Thin FastAPI layer: validate, start, signal, query, render."""
