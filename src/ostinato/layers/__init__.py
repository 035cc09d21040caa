"""Recurrent layers: any cell, stacked, in both directions, with lengths; and the drop-ins for torch.nn's."""
