"""The other half of a block. One file each, with a class `MLP(width)`; all have about the same number of weights."""
