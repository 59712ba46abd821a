"""One file per framework, imported when its function is called."""
