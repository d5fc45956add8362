"""One file for each group of rows."""
