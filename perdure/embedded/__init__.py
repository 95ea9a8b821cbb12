"""Local PostgreSQL, Temporal dev server and the supervisor of the whole stack."""
