"""Entries that are found while a capability serves.

    listing -> filter -> enrichment -> select -> one tool or route for each item

`compiler` makes plans of a `discover` block, once (`compile_finder` of what lists, `members` of
texts and settings). `finder` lists and enriches, again and again, and `items` keeps what it knows.
`template` makes an operation of an item; `entries` keeps those of one adapter, `names` their names
apart, and `routes` their paths.
"""
