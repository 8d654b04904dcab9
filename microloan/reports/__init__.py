"""Reports on the book: frozen values that compute nothing twice, their pages, and their pictures."""
