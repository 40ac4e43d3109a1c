"""What is measured and found, as values: histograms, verdicts, the result of a run."""
