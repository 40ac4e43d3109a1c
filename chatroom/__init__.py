"""A low-latency group chat room for people and programs on one network."""
