"""Models for other programs: what a format has to know of one, and a module for each format."""
