"""Everything that a training writes to disk: checkpoints, the best epoch, the manifest."""
