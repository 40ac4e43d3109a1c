"""The participants, and the poller that drives them."""
