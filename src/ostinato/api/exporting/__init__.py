"""`ostinato export`: from a run, or a layer, to a file of another program.

A format is a module here, of its name: its `write` puts files into a folder, what is here puts them where they belong.
"""

from ostinato.api.exporting.writing import export, export_run

__all__ = ["export", "export_run"]
