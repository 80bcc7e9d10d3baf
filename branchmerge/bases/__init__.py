"""Models to start from: from scratch, a hub, a folder, a package, or served elsewhere."""
