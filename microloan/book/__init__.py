"""The book: use cases of lending, each one transaction: load, decide, append."""
