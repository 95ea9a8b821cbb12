"""One module per vendor or local engine, each implementing a port."""

import os

# onnxruntime reports to its maker from the moment that it is imported, unless this is set before.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
