"""Designs: owns designs, their versions and the runs that deploy them."""
