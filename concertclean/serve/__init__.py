"""A page for people on this machine: drop a recording, hear before and after, choose how much to remove, save.

Nothing here loads torch before the first recording is worked on, so that the page is there at once.
"""
