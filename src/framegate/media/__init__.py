"""Pictures, videos and the store that keeps them."""
