"""The commands of `mojo`: one file a command, or a group of them."""
