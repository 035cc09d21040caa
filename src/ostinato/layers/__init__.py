"""Layers: `Recurrent` for any cell, the drop-ins for torch.nn's, streams of single steps; attention, CRF, dropout."""
