"""Which conversations resemble each other, in files of any size."""
