"""What keeps activations at one scale. One file each, with a class `Norm(width)`."""
