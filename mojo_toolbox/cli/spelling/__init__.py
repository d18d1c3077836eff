"""How routers and providers are spelt on the command line."""
