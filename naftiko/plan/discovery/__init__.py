"""Entries that are found while a capability serves.

    listing -> filter -> enrichment -> select -> one tool or route for each item

`compiler` makes plans of a `discover` block, once; `finder` lists and enriches, again and again;
`entries` turns what was found into operations; `names` keeps their names apart.
"""
