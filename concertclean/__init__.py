"""concertclean: restores music recordings.

A map of the floors; imports only ever go down.

====  ==========================  ==========================================================================
6     ``cli``                     words to calls: the only place that prints, draws progress, sets exit codes
5     ``evaluate``                models and tools over many recordings, to a table
5     ``pipeline``, ``batch``     one recording from file to file; many recordings
5     ``debleed``                 the tracks of one recording from files to files, by any method
5     ``dataset``, ``train``      training items from recordings; networks from training items
5     ``report``                  pictures, the before/after page, the listening test
5     ``finishing``, ``results``  loudness, clipping and files; what a recording becomes, what is told about it
4     ``chain``                   methods and networks one after the other, in one pass
4     ``inference``               segments of a waveform through a network on a device, joined again
3     ``models``                  the networks, one file each, and the registry of their weights
3     ``metrics``                 how good an estimate is
3     ``classical``               restoration without learned weights
2     ``dsp``, ``audio_io``       pure signal functions; the only package that opens audio files
2     ``devices``, ``parallel``   which device and precision there are; work over several processes
1     ``files``                   files written whole or not at all, hashes, downloads
1     ``config``                  records read from files, unknown keys refused
0     ``errors``                  the exception tree
====  ==========================  ==========================================================================
"""

__version__ = "0.1.0"
