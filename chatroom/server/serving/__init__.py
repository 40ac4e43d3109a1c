"""Connections: newcomers are taken in or turned away, and served in one mode or the other."""
