"""Files: one way to read them, one to write them, one to keep results under keys.

``files``: regular files are read, whole files written, nothing else is opened. ``locks``: one process at a time.
``entries``: bytes that say what they are, when they were written, and whether they are whole. ``keyed``: folders of them.
"""
