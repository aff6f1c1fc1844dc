"""Floor 2: the only package that opens audio files.

`reader` gives blocks of float64 from whatever a musician may bring, `writer` takes blocks and makes a
finished file or none at all, `formats` is the table of what is known about containers and codecs.
"""
