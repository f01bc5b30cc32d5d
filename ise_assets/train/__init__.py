"""From verified traces to training records: selection, splits, masks, exports and the dataset card."""
