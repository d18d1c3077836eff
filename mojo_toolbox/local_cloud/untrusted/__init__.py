"""What comes from strangers (files, archives, patterns), handled so that none of it does harm."""
