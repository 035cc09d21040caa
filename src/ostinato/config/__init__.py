"""Every option, once: the command line, the run folder and the Python API all read these classes. No torch here."""
