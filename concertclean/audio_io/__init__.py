"""The only package that opens audio files.

`reader` returns any recording as blocks of float64. `writer` takes blocks and writes a complete file or none at all.
`formats` is the table of containers and codecs.
"""
