"""What is decided about objects and frames, without a clock, a network or a loop."""
