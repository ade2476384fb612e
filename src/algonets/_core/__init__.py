"""The ground floor: errors, shapes, numerics, and the switch between native kernels and plain torch."""
