"""The tables of the papers: their test sets, the rows that can be run, and what was published beside them."""
