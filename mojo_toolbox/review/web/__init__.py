"""The review page's web side: who may come in, what it shows, what it takes."""
