"""What becomes of statements whose connection broke: cases that every client has to get right.

The library and the web page each decide it in code of their own; both replay these. A case is a
list of steps:

- `say` a message, an action or a rename to `text`; the first is statement 1, and so on;
- `send` hands all that waits to the connection, `send` being the newest number seen there;
- `ack` and `refuse` are the room's answer to a statement;
- `broke`: the connection did, on which one had this name;
- `replay_from`: what is asked for on coming back, all above this number;
- `event`: one of those; it `is` what became of that statement, or of none;
- `settle`: the replay was `whole`, or had holes. Statements `again` wait to be said, in this
  order; whether those that are `unknown` were heard is not known, and they are given up. `nick`
  is the name that the room had one under in the end, if a rename was found.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text())
