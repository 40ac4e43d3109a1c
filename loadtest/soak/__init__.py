"""`python -m loadtest soak`: a mixed room under faults, and an audit of what was promised."""
