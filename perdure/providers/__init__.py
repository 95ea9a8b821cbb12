"""One module per vendor or local engine, each implementing a port."""
