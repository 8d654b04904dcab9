"""A marketplace's back office with loans in it: its own tables and ours, one transaction around both."""
