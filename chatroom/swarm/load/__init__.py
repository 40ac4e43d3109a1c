"""The run of one process: who takes part, what is due when, and its course."""
