"""Few-shot runs: draw pictures, train, choose the best epoch, tabulate."""
