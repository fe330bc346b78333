"""Porchlight: live chat over server-rendered fragments, kept in one SQLite file."""

__version__ = "0.1.0"
