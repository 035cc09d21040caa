"""Where bytes and text come from: files, folders, standard input, memory; and how they are encoded."""
