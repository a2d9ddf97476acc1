"""The database: writing of results, and reading of every figure."""
