"""What the view Try asks: a run's answers, with what stands behind them. It computes, and so comes after torch."""
