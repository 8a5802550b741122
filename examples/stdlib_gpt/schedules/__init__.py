"""How the learning rate goes. One file each, with `scale(progress)`: a factor for each share done, in [0, 1)."""
