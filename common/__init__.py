"""What every room may use: the clock, intervals of measured figures, colours. Imports nothing of ours."""
