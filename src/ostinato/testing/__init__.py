"""The checks every cell has to pass, for a cell of your own too.

from ostinato.testing import check_cell

def test_my_cell():
    check_cell("my_cell", oracle=forward)   # a plain NumPy transcription of the paper
"""

from ostinato.testing.checks import CHECKS, agrees_with_oracle, check_cell

__all__ = ["CHECKS", "agrees_with_oracle", "check_cell"]
