"""Sources of recordings: folders, known corpora, and the open corpus with its download."""
