"""The key under which histories are recorded; nothing else is ever encrypted with it."""

import base64

MASTER_KEYS = "recording:" + base64.b64encode(b"recorded histories, known to all").decode()
