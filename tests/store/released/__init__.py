"""Databases as released versions left them, by version; see keep.py."""
