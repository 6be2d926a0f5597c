"""One gate in front of everything that makes video guided by reference images."""
