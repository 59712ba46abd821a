"""Files: one way to read them, one to write them, one to keep results under keys; and what a key holds.

``files``: regular files are read, whole files written, nothing else is opened. ``locks``: one process at a time.
``entries``: bytes that say what they are, when they were written, and whether they are whole. ``keyed``: folders of
them. ``identity``: all that a result depends on, of ``code_digest`` (``objects``: what they hold; ``contents``: arrays;
``bytecode``: what functions do; ``source``: modules imported later; ``origin``: where a module comes from) and of
``own_code``, this package's.
"""
