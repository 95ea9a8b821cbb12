"""Everything of Perdure that is neither Temporal nor HTTP."""

__version__ = "0.1.0"
