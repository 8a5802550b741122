"""Where a byte stands. One file each, with a class `Positions(length, width, head_width)`; see `model.Positions`."""
