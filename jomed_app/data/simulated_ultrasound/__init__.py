"""simulated_ultrasound."""
