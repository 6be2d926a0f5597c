"""Media files: image fitting, video probing, thumbnails and the quality report."""
