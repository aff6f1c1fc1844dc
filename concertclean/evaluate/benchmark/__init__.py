"""A benchmark that others can take part in: fixed mixtures, rows of methods and of estimates, tables of them."""
