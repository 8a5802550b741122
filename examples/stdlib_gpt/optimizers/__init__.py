"""What moves the weights. One file each, with `build(model, config)`: the optimizers that share the weights out."""
