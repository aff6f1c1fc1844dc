"""From recordings to training items.

====================  ====================================================================================
``corpora``           sources of recordings and their artists; downloading the open corpus
``prepare``, ``build``  each decoded once, into a ``store`` of shards and a manifest; ``check`` looks it over
``synthesis``         crowds, disc noise and degradations that are made, not recorded
``shelf``, ``mixing``   excerpts drawn at random and mixed into items by a law; ``batches`` deals them out
``fixed``             mixtures that stay the same, for validation and test
``bleed``             bands with bleed between their microphones, made from stems
====================  ====================================================================================
"""
