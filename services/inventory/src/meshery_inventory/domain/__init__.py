"""What frames mean for the picture, and the picture in Meshery's shape."""
