"""Fair shares: what one connection, one address and all talkers together may have. No I/O."""
