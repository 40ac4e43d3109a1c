"""What goes over a connection: the dialects, the texts, the framing. Sans I/O."""
