"""The checks every cell has to pass, for a cell of your own too. In a test suite:

    from ostinato.testing import check_cell

    def test_my_cell():
        check_cell("my_cell", oracle=forward)  # a plain NumPy transcription of the paper

The guide "A cell of your own" shows the whole of it.
"""

from ostinato.testing.checks import CHECKS, agrees_with_oracle, check_cell

__all__ = ["CHECKS", "agrees_with_oracle", "check_cell"]
