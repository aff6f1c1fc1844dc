"""What recordings there are: folders, known corpora, the open corpus, and how to get it."""
