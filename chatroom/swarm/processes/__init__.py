"""A run from its settings to its result, in one process or in several."""
