"""Every cell beside whoever else has its equations, and what its compiler takes."""
