"""The routers that can be asked: deployed models, chat models under a prompt, baselines, functions."""
